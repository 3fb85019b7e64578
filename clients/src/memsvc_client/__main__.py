"""`python -m memsvc_client`: the `memsvc` command where its script is not on the path."""

from memsvc_client.cli.main import main

if __name__ == "__main__":
    main()
