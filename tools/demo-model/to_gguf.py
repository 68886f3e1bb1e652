"""Write the trained parameters and the tokenizer as one GGUF file for llama.cpp."""

import json

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Type

NAME = "Parallama demonstration model"
DESCRIPTION = (
    "A very small GPT-2 trained from nothing on Moby-Dick (public domain) and on made-up "
    "conversations in which it says what it is. It shows that the gateway works; it knows no facts, "
    "answers no questions and follows no instructions. Weights: MIT licence. Text: public domain."
)

# ChatML. The role names are plain text, so every role a caller may send can be
# rendered, and engines that do not read templates have ChatML built in.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def add_tokenizer(writer, tokenizer, special):
    model = json.loads(tokenizer.to_str())["model"]
    by_id = sorted((i, token) for token, i in tokenizer.get_vocab(with_added_tokens=True).items())
    if [i for i, _ in by_id] != list(range(len(by_id))):
        raise ValueError("the token ids have gaps")
    tokens = [token for _, token in by_id]
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in special else normal for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(tokens.index(special[0]))
    writer.add_eos_token_id(tokens.index(special[2]))
    writer.add_pad_token_id(tokens.index(special[0]))
    # The model was trained with and without a token at the start: it needs none.
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def add_tensor(writer, name, array, kind):
    array = np.ascontiguousarray(np.asarray(array, np.float32))
    if kind == Type.F32:
        writer.add_tensor(name, array)
    elif kind == Type.F16:
        writer.add_tensor(name, array.astype(np.float16))
    else:
        writer.add_tensor(name, gguf.quants.quantize(array, kind), raw_dtype=kind)


def add_tensors(writer, params):
    def norm(name, p):
        add_tensor(writer, f"{name}.weight", p["w"], Type.F32)
        add_tensor(writer, f"{name}.bias", p["b"], Type.F32)

    def linear(name, p):
        # Here a matrix is [in, out]; in GGUF the rows are the outputs.
        add_tensor(writer, f"{name}.weight", np.asarray(p["w"]).T, Type.Q8_0)
        add_tensor(writer, f"{name}.bias", p["b"], Type.F32)

    add_tensor(writer, "token_embd.weight", params["token_embd"], Type.Q8_0)
    # Small, and added straight to the stream: not worth the rounding of eight bits.
    add_tensor(writer, "position_embd.weight", params["position_embd"], Type.F16)
    for i, block in enumerate(params["blocks"]):
        for part, p in block.items():
            (norm if part.endswith("norm") else linear)(f"blk.{i}.{part}", p)
    norm("output_norm", params["output_norm"])


def write(path, params, config, tokenizer, special):
    writer = gguf.GGUFWriter(str(path), "gpt2")
    writer.add_type("model")
    writer.add_name(NAME)
    writer.add_description(DESCRIPTION)
    writer.add_license("MIT")
    writer.add_size_label("3M")
    writer.add_languages(["en"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_context_length(config.context)
    writer.add_embedding_length(config.width)
    writer.add_feed_forward_length(4 * config.width)
    writer.add_block_count(config.layers)
    writer.add_head_count(config.heads)
    writer.add_layer_norm_eps(config.epsilon)
    add_tokenizer(writer, tokenizer, special)
    add_tensors(writer, params)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
