"""GPT-2, small enough for two CPU cores: forward pass, loss and optimiser, in plain JAX."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Config(NamedTuple):
    vocab: int
    width: int = 192
    layers: int = 6
    heads: int = 6
    context: int = 512
    dropout: float = 0.0
    epsilon: float = 1e-5


def init(config, seed):
    """GPT-2's initialisation: normal with deviation 0.02, less on the residual branches."""
    rng = np.random.default_rng(seed)
    d, deep = config.width, 0.02 / np.sqrt(2 * config.layers)

    def normal(*shape, scale=0.02):
        return jnp.asarray(rng.normal(0, scale, shape), jnp.float32)

    def norm():
        return {"w": jnp.ones(d), "b": jnp.zeros(d)}

    def linear(n_in, n_out, scale=0.02):
        return {"w": normal(n_in, n_out, scale=scale), "b": jnp.zeros(n_out)}

    blocks = [
        {
            "attn_norm": norm(),
            "attn_qkv": linear(d, 3 * d),
            "attn_output": linear(d, d, deep),
            "ffn_norm": norm(),
            "ffn_up": linear(d, 4 * d),
            "ffn_down": linear(4 * d, d, deep),
        }
        for _ in range(config.layers)
    ]
    return {
        "token_embd": normal(config.vocab, d),
        "position_embd": normal(config.context, d, scale=0.01),
        "blocks": blocks,
        "output_norm": norm(),
    }


def layer_norm(x, p, epsilon):
    x = x - x.mean(-1, keepdims=True)
    return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + epsilon) * p["w"] + p["b"]


def attention(x, p, config):
    b, t, d = x.shape
    size = d // config.heads
    qkv = x @ p["attn_qkv"]["w"] + p["attn_qkv"]["b"]
    q, k, v = (
        part.reshape(b, t, config.heads, size).transpose(0, 2, 1, 3) for part in jnp.split(qkv, 3, -1)
    )
    scores = q @ k.transpose(0, 1, 3, 2) / np.sqrt(size)
    scores = jnp.where(jnp.tril(jnp.ones((t, t), bool)), scores, -1e9)
    mixed = (jax.nn.softmax(scores) @ v).transpose(0, 2, 1, 3).reshape(b, t, d)
    return mixed @ p["attn_output"]["w"] + p["attn_output"]["b"]


def feed_forward(x, p):
    x = jax.nn.gelu(x @ p["ffn_up"]["w"] + p["ffn_up"]["b"], approximate=True)
    return x @ p["ffn_down"]["w"] + p["ffn_down"]["b"]


def forward(params, tokens, offset, config, key=None):
    """Logits for tokens [rows, length]; offset [rows] is the position of each row's first token."""

    def drop(x, i):
        # One mask for a row's whole length: drawing a bit for every element of
        # every token would cost more on a CPU than it helps.
        if key is None or not config.dropout:
            return x
        keep = jax.random.bernoulli(jax.random.fold_in(key, i), 1 - config.dropout, (x.shape[0], 1, x.shape[2]))
        return x * keep / (1 - config.dropout)

    positions = offset[:, None] + jnp.arange(tokens.shape[1])
    x = drop(params["token_embd"][tokens] + params["position_embd"][positions], 0)
    for i, p in enumerate(params["blocks"]):
        x = x + drop(attention(layer_norm(x, p["attn_norm"], config.epsilon), p, config), 2 * i + 1)
        x = x + drop(feed_forward(layer_norm(x, p["ffn_norm"], config.epsilon), p), 2 * i + 2)
    # The output matrix is the token embedding again, as in GPT-2.
    return layer_norm(x, params["output_norm"], config.epsilon) @ params["token_embd"].T


def loss(params, batch, config, key=None):
    """Mean cross-entropy over the tokens whose weight is not 0."""
    tokens, weights, offset = batch
    logits = forward(params, tokens[:, :-1], offset, config, key)
    picked = jnp.take_along_axis(logits, tokens[:, 1:, None], -1)[..., 0]
    each = jax.nn.logsumexp(logits, -1) - picked
    return (each * weights[:, 1:]).sum() / jnp.maximum(weights[:, 1:].sum(), 1)


def opt_init(params):
    zeros = jax.tree.map(jnp.zeros_like, params)
    return zeros, jax.tree.map(jnp.zeros_like, params)


def orthogonal(g, rounds=4):
    """The nearest matrix to g whose stretch is about 1 in every direction (Newton-Schulz)."""
    flip = g.shape[0] > g.shape[1]
    x = (g.T if flip else g) / (jnp.linalg.norm(g) + 1e-7)
    for _ in range(rounds):
        a = x @ x.T
        x = 3.4445 * x + (-4.775 * a + 2.0315 * (a @ a)) @ x
    return x.T if flip else x


def muon(g):
    """Muon's step for a matrix [in, out]: every direction of the gradient counts the same.

    A model this small has only minutes to learn, and with this the matrices
    learn about as much from each row of text as they would from two with Adam.
    """
    parts = jnp.split(g, 3, 1) if g.shape[1] == 3 * g.shape[0] else [g]
    scale = max(1.0, parts[0].shape[1] / g.shape[0]) ** 0.5
    return jnp.concatenate([orthogonal(part) for part in parts], 1) * scale


def train_step(params, state, batch, step, rates, key, config, b1=0.9, b2=0.95, momentum=0.95):
    """One step: Muon for the matrices of the blocks, Adam for all else. step counts from 1."""
    value, grads = jax.value_and_grad(loss)(params, batch, config, key)
    length = jnp.sqrt(sum((g * g).sum() for g in jax.tree.leaves(grads)))
    grads = jax.tree.map(lambda g: g * jnp.minimum(1.0, 1.0 / (length + 1e-6)), grads)
    matrix = jax.tree_util.tree_map_with_path(lambda path, p: "blocks" in str(path[0]) and p.ndim == 2, params)

    def first_of(is_matrix, m, g):
        return momentum * m + (1 - momentum) * g if is_matrix else b1 * m + (1 - b1) * g

    first = jax.tree.map(first_of, matrix, state[0], grads)
    second = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, state[1], grads)

    def update(is_matrix, p, g, m, v):
        if is_matrix:
            return p * (1 - 0.02 * rates[0]) - rates[0] * muon(momentum * m + (1 - momentum) * g)
        return p - rates[1] * (m / (1 - b1**step)) / (jnp.sqrt(v / (1 - b2**step)) + 1e-8)

    return jax.tree.map(update, matrix, params, grads, first, second), (first, second), value


def count(params):
    return sum(leaf.size for leaf in jax.tree.leaves(params))
