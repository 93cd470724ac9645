"""The bundle: all that is carried to the nodes of one cluster in one file, a tar or an ISO image, and its signature."""
