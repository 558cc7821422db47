"""The stage `report` alone, written anew from the results that are in the configuration's output directory.

spark-submit jobs/report.py --config conf/spam.toml [--output DIR] [--table PATH] [--rows N]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["report", *sys.argv[1:]])
