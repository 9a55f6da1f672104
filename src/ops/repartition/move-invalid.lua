-- Puts what was built beside a partition's keys in their place, all of it at once: a key that was not built goes away.
-- KEYS[1] mark that all is built, which this takes away   [2..] in turn what was built, and what it replaces
-- Replies 1, or 0 where there is no mark: it is done already.

if redis.call('DEL', KEYS[1]) == 0 then return 0 end
for i = 2, #KEYS, 2 do
  redis.call('UNLINK', KEYS[i + 1])
  if redis.call('EXISTS', KEYS[i]) == 1 then redis.call('RENAME', KEYS[i], KEYS[i + 1]) end
end
return 1
