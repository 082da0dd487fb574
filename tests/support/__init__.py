"""What the black-box tests share: server processes, a strict HTTP reader, tar builders."""
