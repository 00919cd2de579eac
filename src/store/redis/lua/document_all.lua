-- The documents of the tenant, by kind and name.
local after, limit = ARGV[2], tonumber(ARGV[3])
return collect(after == '' and '-' or '(' .. after, '+', limit)
