"""The stage `count-votes` alone, on the results that are in the configuration's output directory.

spark-submit jobs/count_votes.py --config conf/spam.toml [--output DIR] [--table PATH] [--overwrite]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["count-votes", *sys.argv[1:]])
