/** Changes to the members of an object, made in its text: what stays is cut out as it stands. */
import type { MemberSpan } from './json-text.js'

/** Raw JSON text by member; `undefined` removes one. */
export type Changes = Readonly<Record<string, string | undefined>>

export interface EditedText {
  readonly text: string
  /** Where its members stand. */
  readonly spans: readonly MemberSpan[]
}

/** The object of this text with members replaced, added at the end, or removed; `undefined` where nothing changes. */
export function editedText(
  text: string,
  spans: readonly MemberSpan[],
  changes: Changes,
): EditedText | undefined {
  if (!isChange(text, spans, changes)) return undefined
  const edited: MemberSpan[] = []
  let made = '{'
  /** The piece that is to be taken over next, and how far its members move by that. */
  let from = -1
  let until = -1
  let shift = 0
  for (const { key, at, start, end } of spans) {
    const stays = !Object.hasOwn(changes, key)
    const raw = stays ? undefined : changes[key]
    if (!stays && raw === undefined) {
      if (from !== -1) made += text.slice(from, until)
      from = -1
      continue
    }
    if (from === -1) {
      if (edited.length > 0) made += ','
      from = at
      shift = made.length - at
    }
    if (raw === undefined) {
      edited.push({ key, at: at + shift, start: start + shift, end: end + shift })
    } else {
      made += text.slice(from, start) + raw
      edited.push({ key, at: at + shift, start: start + shift, end: made.length })
      from = end
      shift = made.length - end
    }
    until = end
  }
  if (from !== -1) made += text.slice(from, until)
  for (const key in changes) {
    const raw = changes[key]
    if (raw === undefined || has(spans, key)) continue
    if (edited.length > 0) made += ','
    const at = made.length
    made += `${JSON.stringify(key)}:`
    const start = made.length
    made += raw
    edited.push({ key, at, start, end: made.length })
  }
  return { text: `${made}}`, spans: edited }
}

function isChange(text: string, spans: readonly MemberSpan[], changes: Changes): boolean {
  for (const key in changes) {
    const raw = changes[key]
    const span = spans.find((it) => it.key === key)
    const isSame =
      span === undefined
        ? raw === undefined
        : raw?.length === span.end - span.start && text.startsWith(raw, span.start)
    if (!isSame) return true
  }
  return false
}

function has(spans: readonly MemberSpan[], key: string): boolean {
  return spans.some((it) => it.key === key)
}
