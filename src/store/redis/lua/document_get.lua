-- A document's value.
return (find(ARGV[2]))
