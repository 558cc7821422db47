"""The tutorial "Data Programming in TensorFlow" from end to end on Spark, at any size.

spark-submit jobs/tutorial.py [--n 10000000] [--m 20] [--seed 0] [--workers 2] [--output DIR] [--overwrite]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["tutorial", *sys.argv[1:]])
