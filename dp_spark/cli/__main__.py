"""`python -m dp_spark.cli`: the same as `dp-spark`, where its script is not on the PATH."""

from dp_spark.cli.verbs import main

if __name__ == "__main__":
    main()
