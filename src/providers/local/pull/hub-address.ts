/**
 * The one place that names the default model hub. Its protocol, as used here, is the hub's own
 * documentation ("Hub API Endpoints", "Download files" in the client library's guide) and what its official
 * client reads: `X-Linked-Etag`, `X-Linked-Size`, `X-Repo-Commit`, `X-Error-Code`.
 */
export const DEFAULT_HUB_URL = "https://huggingface.co";

/** Other hosts under which people paste the same hub's addresses. */
export const HUB_ALIAS_HOSTS: readonly string[] = ["hf.co", "www.hf.co", "www.huggingface.co"];
