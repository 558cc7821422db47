"""The stage `write-shards` alone, on the results that are in the configuration's output directory.

spark-submit jobs/write_shards.py --config conf/spam.toml [--output DIR] [--table PATH] [--overwrite]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["write-shards", *sys.argv[1:]])
