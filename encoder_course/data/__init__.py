"""The data of the course: documentation read where it is installed, and MiniLM found and verified."""
