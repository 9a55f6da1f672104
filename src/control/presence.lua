-- Renews the life of a process and its roles. Writes only its own fields, whatever the number of processes.
-- KEYS[1] presence (hash): `<role> <instance>` → end of its life; `<role>` → its last progress, in any process;
--   `-` → when a process could renew again after it had not for too long, as after an outage. All in ms
-- ARGV[1] instance   [2] ms that it lives without renewal   [3] 1 for the first renewal of a process, or 0
-- ARGV[4..] role and ms since its progress, or -1 if there was none since the last renewal, ...
-- A renewal takes Redis some 50 µs and its log 215 bytes, with 10, 50, 200 or 500 processes of a role (2 busy cores).

local key, instance, is_first = KEYS[1], ARGV[1], ARGV[3] == '1'
local is_hash = redis.call('TYPE', key).ok == 'hash'
-- 0 deletes a value of another type. A full Redis allows EXPIRE, and then also the HSET of the same script.
local expires = redis.call('EXPIRE', key, is_hash and '60' or '0')

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function text(ms) return string.format('%.0f', ms) end

local fields = {}
for i = 4, #ARGV, 2 do
  local role, idle = ARGV[i], tonumber(ARGV[i + 1])
  local field = role .. ' ' .. instance
  local ends = tonumber(redis.call('HGET', key, field) or '0')
  if not is_first and ends <= now then redis.call('HSET', key, '-', text(now)) end
  redis.call('HSETNX', key, role, text(now)) -- its start counts as progress
  fields[#fields + 1] = field
  fields[#fields + 1] = text(now + tonumber(ARGV[2]))
  if idle >= 0 then
    fields[#fields + 1] = role
    fields[#fields + 1] = text(now - idle)
  end
end
redis.call('HSET', key, unpack(fields))
if not is_hash or expires == 0 then redis.call('EXPIRE', key, '60') end

if is_first then -- drops those that were killed
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    if all[i]:find(' ', 1, true) and tonumber(all[i + 1]) <= now then redis.call('HDEL', key, all[i]) end
  end
end
return 1
