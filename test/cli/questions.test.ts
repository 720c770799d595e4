import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SluiceError } from '../../src/base/errors.ts'
import type { LastingLink } from '../../src/cli/chat/link.ts'
import { Questions } from '../../src/cli/chat/questions.ts'

/** A gateway that asks, and a chat that looks at its list; the list is answered when the test says so. */
function chatAndGateway() {
  const questions = new Questions()
  const open: string[] = []
  const shown: string[] = []
  let asked = 0
  let answerList = () => undefined as unknown
  let listing: Promise<unknown> | undefined
  const link = {
    call: () => {
      const { promise, resolve } = Promise.withResolvers<unknown>()
      const approvals = open.map(id => ({ id, text: id }))
      answerList = () => resolve({ approvals })
      return promise
    },
  } as unknown as LastingLink
  const steps = {
    ask: () => {
      asked += 1
      open.push(`q${asked}`)
    },
    decide: () => {
      const payload = { id: open.shift(), decision: 'deny' } as never
      questions.hear({ event: 'exec.approval.resolved', payload })
    },
    decideUnheard: () => void open.shift(),
    list: () => {
      listing ??= questions.fresh(link, 'main').then(fresh => shown.push(...fresh.map(({ id }) => id)))
    },
    answerList: async () => {
      answerList()
      await listing
      listing = undefined
    },
  }
  return { questions, open, shown, steps }
}

test('any order of questions, answers and lists: what is open here is what is open there, each shown once', async () => {
  const step = fc.constantFrom(
    'ask' as const,
    'decide' as const,
    'decideUnheard' as const,
    'list' as const,
    'answerList' as const,
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async order => {
      const { questions, open, shown, steps } = chatAndGateway()
      for (const each of [...order, 'answerList', 'list', 'answerList'] as const) await steps[each]()
      expect(questions.isOpen).toBe(open.length > 0)
      const hint = { 0: '', 1: `answers ${open[0]}` }[open.length] ?? `${open.length} questions`
      expect(questions.hint()).toContain(hint)
      expect(new Set(shown).size).toBe(shown.length)
      expect(shown).toEqual(expect.arrayContaining(open))
    }),
  )
})

test('a question that was decided while the list was on its way is not shown', async () => {
  const { questions, shown, steps } = chatAndGateway()
  steps.ask()
  steps.list()
  const answered = steps.answerList()
  steps.decide()
  await answered
  expect([shown, questions.isOpen]).toEqual([[], false])
})

test('who may not answer is asked nothing; any other failure is told', async () => {
  const refusing = (code: 'FORBIDDEN' | 'UNAVAILABLE') =>
    ({ call: () => Promise.reject(new SluiceError(code, 'no')) }) as unknown as LastingLink
  expect(await new Questions().fresh(refusing('FORBIDDEN'), 'main')).toEqual([])
  await expect(new Questions().fresh(refusing('UNAVAILABLE'), 'main')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})
