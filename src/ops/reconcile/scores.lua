-- Compares the scores of members with the sums of fields that they stand for, and sets those that differ. Each member is
-- read at one moment, so that the stage may commit meanwhile.
-- KEYS boards and hashes, referred to by number
-- ARGV[1] a JSON object { ranks, expiries }, as in commit.lua   [2] 1 to set scores, 0 to compare only
-- Replies alternating the board and the member of each score that differs.

-- include ../../stages/runner/effects.lua

local plan = cjson.decode(ARGV[1])
local failed = check_boards(plan.ranks)
if failed then return failed end
local scores
scores, failed = read_scores(plan.ranks)
if failed then return failed end

local different = {}
for shape, rank in ipairs(plan.ranks) do
  for board, by in ipairs(rank[1]) do
    local function compare(member, wanted)
      local found = call('ZSCORE', KEYS[by[1]], member)
      if (found and tonumber(found) or nil) == wanted then return end
      different[#different + 1] = KEYS[by[1]]
      different[#different + 1] = member
    end
    local list = scores[shape][board]
    for i = 1, #list, 2 do compare(list[i + 1], tonumber(list[i])) end
    for _, member in ipairs(scores[shape].gone) do compare(member, nil) end
  end
end
if ARGV[2] == '1' and #different > 0 then
  set_scores(plan.ranks, scores)
  set_expiries(plan.expiries)
end
return different
