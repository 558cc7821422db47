"""The stage `apply-lfs` alone, on the results that are in the configuration's output directory.

spark-submit jobs/apply_lfs.py --config conf/spam.toml [--output DIR] [--table PATH] [--overwrite]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["apply-lfs", *sys.argv[1:]])
