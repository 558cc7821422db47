"""The stage `evaluate` alone, on the results that are in the configuration's output directory.

spark-submit jobs/evaluate.py --config conf/spam.toml [--output DIR] [--table PATH] [--overwrite]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["evaluate", *sys.argv[1:]])
