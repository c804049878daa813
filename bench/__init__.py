"""How fast the house is: each program prints one JSON object as its last line."""
