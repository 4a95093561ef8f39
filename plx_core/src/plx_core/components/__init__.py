"""Components as data: their names, the schemas of their signatures, and their construction."""
