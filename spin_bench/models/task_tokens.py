"""PowerPaint's task tokens (Zhuang et al. 2024): three placeholders that stand for ten learned vectors each."""

from copy import deepcopy

from transformers import AddedToken, CLIPTextModel, CLIPTokenizer

CONTEXT, SHAPE, OBJECT = "P_ctxt", "P_shape", "P_obj"
TASKS = (CONTEXT, SHAPE, OBJECT)  # in the order in which the published checkpoint's embedding table holds them
VECTORS = 10  # a task


def _parts(task: str) -> list[str]:
    return [f"{task}_{index}" for index in range(VECTORS)]


def task_tokenizer(tokenizer: CLIPTokenizer) -> CLIPTokenizer:
    """A copy of `tokenizer` with the thirty task tokens after its own."""
    extended = deepcopy(tokenizer)
    extended.add_tokens([AddedToken(part, normalized=False) for task in TASKS for part in _parts(task)])
    return extended


def with_room_for_tasks(text_encoder: CLIPTextModel, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Grow the embedding table, in place, by the task tokens of `tokenizer`, each starting as the word "a"."""
    known = text_encoder.get_input_embeddings().num_embeddings
    (a,) = tokenizer("a", add_special_tokens=False).input_ids
    text_encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    table = text_encoder.get_input_embeddings().weight
    table.data[known:] = table.data[a]
    return text_encoder


def spelled_out(prompt: str) -> str:
    """`prompt` with every placeholder replaced by its ten tokens."""
    for task in TASKS:
        prompt = prompt.replace(task, " ".join(_parts(task)))
    return prompt
