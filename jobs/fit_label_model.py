"""The stage `fit-label-model` alone, on the results that are in the configuration's output directory.

spark-submit jobs/fit_label_model.py --config conf/spam.toml [--output DIR] [--table PATH] [--overwrite]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["fit-label-model", *sys.argv[1:]])
