// What a request to the Bot API says, however it is sent: JSON, a form with files, or a query. In forms everything is
// text, and what is no text is JSON within it.

export interface SentFile {
  readonly name: string
  readonly bytes: Buffer
}
export type Params = Readonly<Record<string, unknown>>
export interface Asked {
  readonly params: Params
  readonly files: Readonly<Record<string, SentFile>>
}

export function readParams(body: Buffer, contentType: string, query: URLSearchParams): Asked {
  const boundary = /boundary=(.+)$/.exec(contentType)?.[1]
  if (boundary !== undefined) return readForm(body, `--${boundary}`)
  if (body.length > 0) return { params: JSON.parse(body.toString('utf8')), files: {} }
  return { params: Object.fromEntries([...query].map(([name, value]) => [name, plain(value)])), files: {} }
}

function readForm(body: Buffer, mark: string): Asked {
  const params: Record<string, unknown> = {}
  const files: Record<string, SentFile> = {}
  let at = body.indexOf(mark) + mark.length + 2
  for (let end = body.indexOf(`\r\n${mark}`, at); end >= 0; end = body.indexOf(`\r\n${mark}`, at)) {
    const part = body.subarray(at, end)
    const split = part.indexOf('\r\n\r\n')
    const head = part.subarray(0, split).toString('utf8')
    const content = part.subarray(split + 4)
    const name = /name="([^"]*)"/.exec(head)?.[1] ?? ''
    const filename = /filename="?([^"\r\n;]*)"?/.exec(head)?.[1]
    if (filename === undefined) params[name] = plain(content.toString('utf8'))
    else files[name] = { name: filename, bytes: Buffer.from(content) }
    at = end + 2 + mark.length + 2
  }
  return { params, files }
}

function plain(value: string): unknown {
  if (!/^(-?\d{1,15}$|\[|\{|true$|false$)/.test(value)) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
