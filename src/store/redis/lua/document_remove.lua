-- Removes a document; whether it was there.
local found = find(ARGV[2])
remove(ARGV[2])
return found and 1 or 0
