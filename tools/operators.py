"""``python -m tools.operators``: list TensorFlow's operators that uploads may use.

It writes runtime/programs/operators.txt from the installed TensorFlow. The list has
operators that compute, and none that reaches files, the network, Python, other
processes or a queue. It prints the operators that it leaves out; read them after each
change of TensorFlow's version.
"""

from __future__ import annotations

import re
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "runtime" / "programs" / "operators.txt"

# TensorFlow calls many of these operators stateless, among them ReadFile, so they are
# left out by their names.
LEFT_OUT = re.compile(
    r"""
    .*(File|Dataset|Iterator|Reader|Record|Checkpoint|Summary|Debug|Py[A-Z]|PyFunc).*
    | .*(Save|Restore|Rpc|Collective|Nccl|Tpu|TPU|Xla|XLA|Mlir|TensorRT|TRT).*
    | .*(Queue|Barrier|Stage|Stack(Push|Pop|Close|V2)|OrderedMap|MapStage|Mutex).*
    | .*(Print|Log(String|Event)|Audio(Summary)|Assets?|BigQuery|Bigtable|Lmdb|Cache).*
    | .*(Accumulator|Conditional|Session|Worker|Remote|Distributed|Dtensor|DTensor).*
    | (Send|Recv|_.*|Host(Send|Recv)|SymbolicGradient|RemoteCall|DataServiceDataset)
    | .*(Send|Recv|Infeed|Outfeed|Enqueue|Dequeue|Timestamp|Multi(Device)Iterator).*
    | (Composite|Load|Retrieve)(All)?TPU.* | .*Embedding(Parameters|Configuration).*
    | (ShardedFile.*|DecodeProto.*|DecodeCompressed|(Unc|C)ompressElement|MemmappedFile)
    | (ImmutableConst|Batch|BatchFunction|Unbatch|UnbatchGrad|AllToAll|Copy|CopyHost)
    | (WindowOp|GetOptions|ComputeBatchSize|Prelinearize.*|.*SparseCore.*)
    | (EncodeProto|GenerateVocabRemapping|LoadAndRemapMatrix|TemporaryVariable)
    | (DestroyTemporaryVariable|Fact|Skipgram|StubResourceHandleOp|EagerPyFunc|Abort)
    # This one reads its vocabulary from a file.
    | FixedUnigramCandidateSampler
    | (DeleteSessionTensor|GetSession.*|ImportEvent|WriteRaw.*|Ragged.*Debug.*|Test.*)
    | .*(Threadpool|ThreadPool|BoostedTrees|TreeEnsemble|Tensor(Forest|Boosted)).*
    | .*(Kafka|Kinesis|Pubsub|Avro|Parquet|Sql|Sdca|Ensemble|Experimental).*
    """,
    re.VERBOSE,
)
# These operators have state and are taken all the same: variables, control flow, random
# numbers, and tables made from constants.
TAKEN = re.compile(
    r"""
    (VarHandleOp|ReadVariableOp|AssignVariableOp|Assign(Add|Sub)VariableOp
        |VarIsInitializedOp|DestroyResourceOp|DisableCopyOnRead|VariableShape
        |VariableV2|Variable|Assign|AssignAdd|AssignSub|IsVariableInitialized)
    | (StatefulPartitionedCall|If|While|Case|For|StatelessCase|Assert|PlaceholderV2)
    | (Resource)?(Gather|GatherNd)(V2)? | Resource(Strided|Scatter|Apply).*
    | Scatter(Add|Div|Max|Min|Mul|Sub|Update|Nd(Add|Sub|Max|Min|Update)?)
    | (Random|Truncated|Parameterized|Multinomial|Stateful|NonDeterministic|Fixed
        |Log|Learned|All|ThreadUnsafe)[A-Za-z]*(Uniform|Normal|Int|V2|Gamma|Poisson
        |Shuffle|Crop|Sampler|Candidate[A-Za-z]*|Binomial|Skip|Ints|Seeds|Truncated
        [A-Za-z]*|FullInt)?
    | (HashTable|MutableHashTable|MutableHashTableOfTensors|MutableDenseHashTable
        |AnonymousHashTable|AnonymousMutable[A-Za-z]*)(V2)?
    | (LookupTable(Find|Import|Insert|Size|Export|Remove)|InitializeTable)(V2)?
    | (TensorArray.*|Rng(Skip|ReadAndSkip)(V2)?|Anonymous(RandomSeedGenerator))
    | (Sample|Uniform)CandidateSampler | SampleDistortedBoundingBox(V2)?
    | (CTC.*|CudnnRNN.*|CheckNumerics(V2)?|GuaranteeConst|StatelessRandomGetAlg)
    """,
    re.VERBOSE,
)
# These names match LEFT_OUT, but the operators only join texts.
HARMLESS = frozenset({"ShardedFilename"})


def main() -> None:
    """Decide about each operator, and write the list."""
    import tensorflow as tf
    from tensorflow.python.framework import op_def_registry

    taken, left = [], []
    for name in sorted(dir(tf.raw_ops)):
        found = op_def_registry.get(name)
        if found is None:
            continue
        is_taken = name in HARMLESS or (
            not LEFT_OUT.fullmatch(name)
            and (not found.is_stateful or TAKEN.fullmatch(name))
        )
        (taken if is_taken else left).append(name)
    print("left out:", *left, sep="\n")
    head = f"# Made by tools/operators.py of TensorFlow {tf.__version__}.\n"
    TARGET.write_text(head + "\n".join(taken) + "\n")
    print(f"{len(taken)} taken, {len(left)} left out")


if __name__ == "__main__":
    main()
