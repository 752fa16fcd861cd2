/** What a refusal quotes of a text it was given: enough to recognise it, and nothing that could disturb a log. */
export function excerpt(value: unknown): string {
  const text = textOf(value)
  const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
  return shown.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD')
}

/** Objects may have no text at all, or throw when they are asked for it. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  try {
    return String(value)
  } catch {
    return `[${typeof value}]`
  }
}
