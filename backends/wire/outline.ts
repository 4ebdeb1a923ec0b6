/**
 * The JSON text of a large object without its long texts: what is small can be read and changed as ever, and what is large
 * is passed on as the bytes that came.
 */
import type { Changes } from './json-edit.js'
import { editedText } from './json-edit.js'
import type { MemberSpan } from './json-text.js'
import { memberSpans } from './json-text.js'

/** Stands, in the text, for what was left out there. */
export const LEFT_OUT = '…'

export interface Hole {
  /** Where `LEFT_OUT` stands for it. */
  readonly at: number
  /** The text that belongs there, in UTF-8, as it stands in JSON. */
  readonly bytes: readonly Buffer[]
}

export class Outline {
  readonly text: string
  /** In the order of their places. */
  readonly #holes: readonly Hole[]
  #spans: readonly MemberSpan[] | undefined
  #bytes: readonly Buffer[] | undefined

  /** `bytes`: the whole of it, where that has come so. */
  constructor(text: string, holes: readonly Hole[], bytes?: readonly Buffer[]) {
    this.text = text
    this.#holes = holes
    this.#bytes = bytes
  }

  /** Where the members of the object stand in the text. @throws MalformedJsonError as `memberSpans` */
  get spans(): readonly MemberSpan[] {
    return (this.#spans ??= memberSpans(this.text))
  }

  /** The whole, with all that was left out. */
  get bytes(): readonly Buffer[] {
    return (this.#bytes ??= this.#filled())
  }

  /** The raw text of a member; `undefined` too where something was left out of it. */
  memberOf(key: string): string | undefined {
    const span = this.spans.find((it) => it.key === key)
    return span && !this.#lacks(span) ? this.text.slice(span.start, span.end) : undefined
  }

  /** The outline of the object with changed members; `undefined` where something was left out of one of those. */
  edited(changes: Changes): Outline | undefined {
    const { spans } = this
    if (spans.some((it) => Object.hasOwn(changes, it.key) && this.#lacks(it))) return undefined
    const edit = editedText(this.text, spans, changes)
    if (edit === undefined) return this
    const holes: Hole[] = []
    for (const span of spans) {
      const { start = 0 } = edit.spans.find(({ key }) => key === span.key) ?? {}
      for (const { at, bytes } of this.#holesIn(span)) {
        holes.push({ at: at - span.start + start, bytes })
      }
    }
    const outline = new Outline(edit.text, holes)
    outline.#spans = edit.spans
    return outline
  }

  #lacks(span: MemberSpan): boolean {
    return this.#holesIn(span).length > 0
  }

  #holesIn({ start, end }: MemberSpan): readonly Hole[] {
    return this.#holes.filter(({ at }) => at >= start && at < end)
  }

  #filled(): Buffer[] {
    const pieces: Buffer[] = []
    let from = 0
    for (const { at, bytes } of this.#holes) {
      pieces.push(Buffer.from(this.text.slice(from, at)), ...bytes)
      from = at + LEFT_OUT.length
    }
    pieces.push(Buffer.from(this.text.slice(from)))
    return pieces
  }
}
