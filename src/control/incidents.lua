-- Notes an incident, once however many processes notice it.
-- KEYS[1] pipeline:incidents
-- ARGV[1] its id   [2] the incident (JSON)   [3] most incidents to keep   [4..] ids of those that the caller knew before it
-- Replies 'noted'; 'known' where another process has noted it since (the one that names more orders stays); 'full' where
-- there are too many already.

local incident, before = cjson.decode(ARGV[2]), {}
for i = 4, #ARGV do before[ARGV[i]] = true end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local read, other = pcall(cjson.decode, all[i + 1])
  local same = read and type(other) == 'table' and other.kind == incident.kind and other.place == incident.place
  if same and not before[all[i]] then
    if (tonumber(other.orders) or 0) < incident.orders then redis.call('HSET', KEYS[1], all[i], ARGV[2]) end
    return 'known'
  end
end
if #all / 2 >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'noted'
