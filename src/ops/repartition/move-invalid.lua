-- Replaces a partition's keys with the rebuilt ones, all at once. A key without a rebuilt one is deleted.
-- KEYS[1] mark of a finished build, which is deleted   [2..] pairs: rebuilt key, key that it replaces
-- Replies 1, or 0 if there is no mark: the keys were replaced before.

if redis.call('DEL', KEYS[1]) == 0 then return 0 end
for i = 2, #KEYS, 2 do
  redis.call('UNLINK', KEYS[i + 1])
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('RENAME', KEYS[i], KEYS[i + 1]) end
end
return 1
