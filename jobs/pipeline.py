"""All stages on a table of your own: votes, counts, label model, labels, training, predictions, scores.

spark-submit jobs/pipeline.py --config conf/spam.toml [--output DIR] [--table PATH] [--overwrite | --resume]
"""

import sys

from dp_spark.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
