"""The stage `train-gold-model` alone, on the results that are in the configuration's output directory.

spark-submit jobs/train_gold_model.py --config conf/spam.toml [--output DIR] [--table PATH] [--overwrite]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["train-gold-model", *sys.argv[1:]])
