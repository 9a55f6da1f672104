-- Renews the life of a process and its roles, and drops those that were not renewed.
-- KEYS[1] presence (string): a line for each role of each process, `<role> <instance> <end of its life> <last progress>`, in ms
-- ARGV[1] instance   [2] ms that it lives without renewal   [3..] role and ms since its last progress, ...; none if it leaves

redis.call('EXPIRE', KEYS[1], '60') -- a full Redis allows it, and then also the SET of the same script

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lines = {}
local function add(role, instance, ends, progress)
  lines[#lines + 1] = string.format('%s %s %.0f %.0f\n', role, instance, ends, progress)
end

for role, instance, ends, progress in (redis.call('GET', KEYS[1]) or ''):gmatch('(%S+) (%S+) (%d+) (%d+)\n') do
  if instance ~= ARGV[1] and tonumber(ends) > now then add(role, instance, tonumber(ends), tonumber(progress)) end
end
for i = 3, #ARGV, 2 do add(ARGV[i], ARGV[1], now + tonumber(ARGV[2]), now - tonumber(ARGV[i + 1])) end
redis.call('SET', KEYS[1], table.concat(lines), 'EX', '60')
return #lines
