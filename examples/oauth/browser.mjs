// A browser without a window, and the person before it: follows redirects, keeps cookies, and presses buttons.

export class Browser {
  /** What the person was asked to allow, one entry for each time. */
  asked = []
  #user
  #cookies = new Map()

  constructor(user) {
    this.#user = user
  }

  /** Opens an address and goes on until it is sent to one that begins with `end`, which is returned. */
  async visit(url, end) {
    let next = { url: new URL(url) }
    for (;;) {
      const response = await this.#load(next)
      const location = response.headers.get('location')
      if (location !== null) {
        await response.body?.cancel()
        const target = new URL(location, next.url)
        if (target.href.startsWith(end)) return target
        next = { url: target }
        continue
      }
      const page = await response.text()
      if (!response.ok) throw new Error(`${next.url} answers ${response.status}: ${page}`)
      next = this.#press(page, next.url)
    }
  }

  /** On a page that asks who it is, the user's name; on one that asks for more, "Allow". */
  #press(page, url) {
    const action = /<form method="post" action="([^"]+)"/.exec(page)?.[1]
    if (action === undefined) throw new Error(`nothing to press at ${url}`)
    const name = /name="user"/.test(page) ? 'user' : 'allow'
    if (name === 'allow') this.asked.push([...page.matchAll(/<li>([^<]+)</g)].map((it) => it[1]))
    const form = new URLSearchParams({ [name]: name === 'user' ? this.#user : 'yes' })
    return { url: new URL(action, url), form }
  }

  async #load({ url, form }) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const request = { headers: { cookie, accept: 'text/html' }, redirect: 'manual' }
    const response = await fetch(
      url,
      form === undefined ? request : { ...request, method: 'POST', body: form },
    )
    for (const it of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(it) ?? []
      if (value === '') this.#cookies.delete(name)
      else this.#cookies.set(name, value)
    }
    return response
  }
}
