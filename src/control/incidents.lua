-- Records an incident once, however many processes notice it.
-- KEYS[1] pipeline:incidents
-- ARGV[1] its id   [2] the incident (JSON)   [3] maximum number of incidents   [4..] ids that the caller knew before
-- Replies 'noted'; 'known' if another process has recorded it (the one that names more orders stays), even if it was
-- acknowledged since; 'full' if there are too many.

local incident, before = cjson.decode(ARGV[2]), {}
for i = 4, #ARGV do before[ARGV[i]] = true end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local read, other = pcall(cjson.decode, all[i + 1])
  local same = read and type(other) == 'table' and other.kind == incident.kind and other.place == incident.place
  if same and not before[all[i]] then
    if not other.acknowledged and (tonumber(other.orders) or 0) < incident.orders then redis.call('HSET', KEYS[1], all[i], ARGV[2]) end
    return 'known'
  end
end
if #all / 2 >= tonumber(ARGV[3]) then return 'full' end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'noted'
