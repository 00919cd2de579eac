-- The documents of a kind, by name.
local kind, after, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
return collect('(' .. kind .. '\0' .. after, '(' .. kind .. '\1', limit)
