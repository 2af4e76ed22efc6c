"""Content-addressed results: the only writer of images and scores.

    <root>/format.json
    <root>/<run key>/settings.json                         what the key stands for
    <root>/<run key>/<case>-<digest>/<k>-<sha256>.png      a picture, named by its content
    <root>/<run key>/shards/<host>-<pid>-<random>.jsonl    what one process says: pictures, failures, scores
    <root>/<run key>/uses/                                 who needs it: results folders, runs under way
    <root>/artefacts/                                      tensors that runs share, in `artefacts.py`, which needs torch

A picture without a line in a shard does not exist, nor does a line whose picture is gone or altered. Files appear whole
(temporary file, fsync, rename) and shards only grow, each with one writer: processes and machines may share a store
without a lock, a kill loses nothing but the batch in flight, and two stores are merged by copying one over the other.
"""

from spin_bench.store.records import Failure, Record
from spin_bench.store.store import Store

__all__ = ["Failure", "Record", "Store"]
