-- Every session of the tenant by name, with the blobs that it refers to. Both what its versions say and the list of
-- references count: what one has lost may be in the other, and whatever is not named may be deleted.
local limit, found = tonumber(ARGV[3]), {}
walk(ARGV[2], function(name)
  if #found >= limit then return false end
  local blobs = referred(name)
  for _, line in ipairs(versions(name)) do
    for blob in each(redis.call('HGET', data_key(name), 'blobs:' .. line.version) or '', 32) do
      blobs[#blobs + 1] = blob
    end
  end
  found[#found + 1] = { name, blobs }
  return true
end)
return found
