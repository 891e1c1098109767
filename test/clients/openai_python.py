"""The official `openai` package for Python, unmodified, against a running server (the names are those of settings.mjs)."""

import asyncio
import json
import os
import sys
import unittest

import openai

BASE_URL = os.environ["SUTAZAI_URL"] + "/v1"
KEY = os.environ["SUTAZAI_KEY"]
CHAT = os.environ["SUTAZAI_CHAT"]
EMBEDDING = os.environ["SUTAZAI_EMBEDDING"]
ALIAS = os.environ["SUTAZAI_ALIAS"]
COLLECTION = os.environ["SUTAZAI_COLLECTION"]

HELLO = {"model": CHAT, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 16, "temperature": 0}
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def client(key=KEY):
    return openai.OpenAI(base_url=BASE_URL, api_key=key, max_retries=0)


class Models(unittest.TestCase):
    def test_list_and_one(self):
        self.assertEqual([model.id for model in client().models.list()], sorted([CHAT, EMBEDDING, ALIAS]))
        self.assertEqual(client().models.retrieve(ALIAS).id, ALIAS)


class Chat(unittest.TestCase):
    def test_whole_and_streamed(self):
        whole = client().chat.completions.create(**HELLO)
        content = whole.choices[0].message.content
        self.assertTrue(content)
        self.assertEqual(whole.model, CHAT)
        stream = client().chat.completions.create(**HELLO, stream=True, stream_options={"include_usage": True})
        chunks = list(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        self.assertEqual(text, content)
        self.assertEqual(chunks[-1].usage.total_tokens, whole.usage.total_tokens)

    def test_alias(self):
        self.assertEqual(client().chat.completions.create(**{**HELLO, "model": ALIAS}).model, CHAT)

    def test_stop_seed_and_length(self):
        wild = {**HELLO, "temperature": 1.5, "seed": 7}
        first = client().chat.completions.create(**wild).choices[0].message.content
        self.assertEqual(client().chat.completions.create(**wild).choices[0].message.content, first)
        cut = client().chat.completions.create(**{**HELLO, "max_tokens": 2})
        self.assertEqual((cut.choices[0].finish_reason, cut.usage.completion_tokens), ("length", 2))

    def test_json_schema(self):
        answer = client().chat.completions.create(
            **{**HELLO, "max_tokens": 64, "messages": [{"role": "user", "content": "Ada is 36 years old. As JSON, please."}]},
            response_format={"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON, "strict": True}},
        )
        person = json.loads(answer.choices[0].message.content)
        self.assertIsInstance(person["name"], str)
        self.assertIsInstance(person["age"], int)

    def test_tool_call_and_its_result(self):
        question = {"role": "user", "content": "What is the weather in Paris?"}
        tools = [{"type": "function", "function": WEATHER}]
        asked = {**HELLO, "max_tokens": 64, "tools": tools}
        choice = {"type": "function", "function": {"name": WEATHER["name"]}}
        called = client().chat.completions.create(**{**asked, "messages": [question]}, tool_choice=choice)
        self.assertEqual(called.choices[0].finish_reason, "tool_calls")
        call = called.choices[0].message.tool_calls[0]
        self.assertEqual(call.function.name, WEATHER["name"])
        self.assertIn("city", json.loads(call.function.arguments))
        result = {"role": "tool", "tool_call_id": call.id, "content": "18 degrees and sunny"}
        messages = [question, called.choices[0].message, result]
        after = client().chat.completions.create(**{**asked, "messages": messages}, tool_choice="none")
        self.assertTrue(after.choices[0].message.content)

    def test_collections_by_extra_body(self):
        answer = client().chat.completions.create(
            **{**HELLO, "max_tokens": 64, "messages": [{"role": "user", "content": "When does the harbour office open?"}]},
            extra_body={"collections": [COLLECTION]},
        )
        message = answer.choices[0].message
        self.assertRegex(message.content, "(?i)six|6")
        self.assertEqual(message.annotations[0].url_citation.title, "harbour.txt")

    def test_async_client_and_abort(self):
        async def talk():
            async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0) as there:
                story = {**HELLO, "max_tokens": 1_500, "messages": [{"role": "user", "content": "Tell a long story."}]}
                stream = await there.chat.completions.create(**story, stream=True)
                seen = 0
                async for chunk in stream:
                    seen += 1 if chunk.choices and chunk.choices[0].delta.content else 0
                    if seen == 3:
                        await stream.close()
                        break
                return seen, await there.chat.completions.create(**HELLO)

        seen, answer = asyncio.run(talk())
        self.assertEqual(seen, 3)
        self.assertTrue(answer.choices[0].message.content)


class Completions(unittest.TestCase):
    def test_plain(self):
        answer = client().completions.create(model=CHAT, prompt="The capital of France is", max_tokens=6, temperature=0)
        self.assertIn("Paris", answer.choices[0].text)


class Embeddings(unittest.TestCase):
    def test_base64_by_default_and_floats(self):
        texts = ["a boat in the harbour", "a ship at the quay"]
        boat, ship = (item.embedding for item in client().embeddings.create(model=EMBEDDING, input=texts).data)
        self.assertEqual(len(boat), 384)
        self.assertGreater(sum(a * b for a, b in zip(boat, ship)), 0.3)
        floats = client().embeddings.create(model=EMBEDDING, input=texts[0], encoding_format="float").data[0].embedding
        for one, other in zip(boat, floats):
            self.assertAlmostEqual(one, other, places=6)


class Errors(unittest.TestCase):
    def test_classes(self):
        with self.assertRaises(openai.AuthenticationError) as hidden:
            client("sk-wrong").models.list()
        self.assertEqual(hidden.exception.code, "invalid_api_key")
        with self.assertRaises(openai.PermissionDeniedError):
            client(os.environ["SUTAZAI_POOR_KEY"]).chat.completions.create(**HELLO)
        with self.assertRaises(openai.NotFoundError) as missing:
            client().chat.completions.create(**{**HELLO, "model": "gpt-unheard-of"})
        self.assertEqual((missing.exception.code, missing.exception.param), ("model_not_found", "model"))
        slow = client(os.environ["SUTAZAI_SLOW_KEY_2"])
        slow.models.list()
        with self.assertRaises(openai.RateLimitError) as limited:
            slow.models.list()
        self.assertEqual(limited.exception.code, "rate_limit_exceeded")

    def test_refused_parameters(self):
        for fields, param in (({"n": 2}, "n"), ({"logprobs": True}, "logprobs"), ({"presence_penalty": 1}, "presence_penalty")):
            with self.assertRaises(openai.BadRequestError) as refused:
                client().chat.completions.create(**HELLO, **fields)
            self.assertEqual(refused.exception.param, param)


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=2).result
    print(f"# pass {outcome.testsRun - len(outcome.failures) - len(outcome.errors)}")
    sys.exit(not outcome.wasSuccessful())
