/** Progress and log lines of running jobs. */
export const notes: string = /* lua */ `
local function noteAll(list)
  local noted = {}
  for i = 1, #list do
    local note = list[i]
    local j = get(note.id)
    if not j or j.phase ~= ACTIVE or j.fp ~= note.fp or j.call ~= note.call then noted[i] = false
    else
      noted[i] = true
      touch(j)
      set(j, NOTED)
      if note.progress then call('SET', K.progress .. j.id, note.progress) end
      if note.lines then
        local last = call('LINDEX', K.log .. j.id, -1)
        last = last and munpack(last) or { 0, 0, 0, '', 0 }
        local had = last[4] == note.fp .. ':' .. note.call and last[5] or 0
        local n = last[1]
        for k = 1, #note.lines do
          local own = note.from + k - 1
          if own > had then
            n = n + 1
            call('RPUSH', K.log .. j.id, mpack({ n, now, j.attempt, note.fp .. ':' .. note.call, own, note.lines[k] }))
          end
        end
        call('LTRIM', K.log .. j.id, -1000, -1)
      end
    end
  end
  return noted
end
`
