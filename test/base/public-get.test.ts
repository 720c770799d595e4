// A GET from the public internet, on servers of this machine: names and what counts as public are the test's own.
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Network, publicGet, publicGetFrom } from '../../src/base/node/public-get.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function serve(listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const LOCAL = '127.0.0.1'
const never = new AbortController().signal
const options = { bytesMax: 1_000, signal: never }

/** A network in which names mean what the list says, look-up by look-up, and 127.0.0.1 counts as public. */
function network(...answers: string[][]): Network & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    isPublic: address => address === LOCAL,
    resolve: async host => {
      asked.push(host)
      return (answers.shift() ?? []).map(address => ({ address, family: address.includes(':') ? 6 : 4 }))
    },
  }
}

test('reads what is answered, and asks for no compressed form', async () => {
  const port = await serve(({ headers, url, method }, response) => {
    response.writeHead(404, {
      'content-type': 'text/plain',
      'x-asked': `${method} ${url} ${headers['accept-encoding']}`,
    })
    response.end('gone')
  })
  const answer = await publicGetFrom(network([LOCAL]))(new URL(`http://page.test:${port}/a?b`), options)
  expect(answer).toMatchObject({ status: 404, cut: false, headers: { 'x-asked': 'GET /a?b identity' } })
  expect(Buffer.from(answer.body).toString()).toBe('gone')
})

test.each([
  ['in front', ['10.0.0.1', LOCAL]],
  ['behind', [LOCAL, '10.0.0.1']],
  ['IPv6', [LOCAL, '::1']],
  ['alone', ['169.254.169.254']],
])('W1: a name with an address that is not public is not connected to (%s)', async (_, addresses) => {
  let reached = 0
  const port = await serve((_request, response) => {
    reached += 1
    response.end()
  })
  await expect(publicGetFrom(network(addresses))(new URL(`http://page.test:${port}/`), options)).rejects.toMatchObject({
    code: 'FORBIDDEN',
    outcome: 'not-started',
    message: expect.stringContaining('page.test means'),
  })
  expect(reached).toBe(0)
})

test('a name is looked up once: what it means later is not asked', async () => {
  const port = await serve((_request, response) => response.end('first'))
  const rebinding = network([LOCAL], ['10.0.0.1'])
  const answer = await publicGetFrom(rebinding)(new URL(`http://page.test:${port}/`), options)
  expect(Buffer.from(answer.body).toString()).toBe('first')
  expect(rebinding.asked).toEqual(['page.test'])
})

test.each([
  'http://127.0.0.1',
  'http://[::1]',
  'http://2130706433',
  'http://0x7f.1',
  'http://[::ffff:127.0.0.1]',
  'http://0',
])('W1: %s, the real network, is refused although a server listens there', async origin => {
  let reached = 0
  const port = await serve((_request, response) => {
    reached += 1
    response.end()
  })
  await expect(publicGet(new URL(`${origin}:${port}/`), options)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  expect(reached).toBe(0)
})

test('the real look-up of localhost is refused', async () => {
  const port = await serve((_request, response) => response.end())
  await expect(publicGet(new URL(`http://localhost:${port}/`), options)).rejects.toMatchObject({ code: 'FORBIDDEN' })
})

test('no more than the limit is read of a body without end', async () => {
  const port = await serve((_request, response) => {
    const more = () => {
      while (response.write('x'.repeat(300)));
      response.once('drain', more)
    }
    more()
  })
  const answer = await publicGetFrom(network([LOCAL]))(new URL(`http://page.test:${port}/`), options)
  expect([answer.body.length, answer.cut]).toEqual([1_000, true])
})

test('a body of just the limit is whole', async () => {
  const port = await serve((_request, response) => response.end('x'.repeat(1_000)))
  const answer = await publicGetFrom(network([LOCAL]))(new URL(`http://page.test:${port}/`), options)
  expect([answer.body.length, answer.cut]).toEqual([1_000, false])
})

test.each(['before the answer', 'within the body'])('an abort ends it %s, with its own reason', async when => {
  const abort = new AbortController()
  const reason = new Error('enough')
  const port = await serve((_request, response) => {
    if (when === 'within the body') {
      response.writeHead(200)
      response.write('x', () => setImmediate(() => abort.abort(reason)))
    } else abort.abort(reason)
  })
  const get = publicGetFrom(network([LOCAL]))(new URL(`http://page.test:${port}/`), {
    bytesMax: 10,
    signal: abort.signal,
  })
  await expect(get).rejects.toBe(reason)
})

test('an abort ends it while the name is still looked up', async () => {
  const abort = new AbortController()
  const get = publicGetFrom({
    isPublic: () => true,
    resolve: () => {
      abort.abort(new Error('enough'))
      return new Promise(() => undefined)
    },
  })
  await expect(get(new URL('http://page.test/'), { bytesMax: 10, signal: abort.signal })).rejects.toThrow('enough')
})

test('a dropped connection and a name that means nothing are answered as such', async () => {
  const port = await serve(request => request.socket.destroy())
  const get = publicGetFrom(network([LOCAL]))
  await expect(get(new URL(`http://page.test:${port}/`), options)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: 'page.test did not answer: ECONNRESET.',
  })
  const unknown = publicGetFrom({
    isPublic: () => true,
    resolve: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
  })
  await expect(unknown(new URL('http://nowhere.test/'), options)).rejects.toThrow('did not answer: ENOTFOUND')
})
