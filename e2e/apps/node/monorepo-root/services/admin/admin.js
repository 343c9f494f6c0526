throw new Error("another application than the one that was chosen");
