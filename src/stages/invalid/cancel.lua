-- Cancels a job: from here on no script sends an order of the job in this partition (see requeue.lua and enqueue.lua).
-- KEYS[1] outcome of the job   [2] layout
-- ARGV[1] the caller's number of partitions   [2] seconds the outcome is kept
-- ARGV[3] 'any', or 'unsent': only if the job has not yet sent its order, nor withdrawn it to send it in another partition
-- Replies 1, or 0 if the job is not cancelled because it has sent. Fails if the partitions have changed.

local layout = redis.call('GET', KEYS[2])
if layout and layout ~= ARGV[1] then
  return redis.error_reply('ORDLAYOUT ' .. layout .. ' ' .. ARGV[1])
end
if ARGV[3] == 'unsent' then
  local sent = redis.call('HEXISTS', KEYS[1], 'sent') + redis.call('HEXISTS', KEYS[1], 'withdrawn')
  if sent > 0 then return 0 end
end
redis.call('HSET', KEYS[1], 'cancelled', '1')
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
