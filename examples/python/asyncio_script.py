"""A prompt's life in one script: `python asyncio_script.py` needs no server."""

import asyncio

from promptops import ModelProvider, PromptNotFoundError, PromptOpsClient


async def main() -> None:
    async with PromptOpsClient(base_url="sqlite::memory:") as client:
        await client.create_prompt(
            {
                "name": "Order status",
                "content": "Dear {{ customer }}, your order {{ order }} is on its way.",
                "target_models": ["openai"],
            }
        )
        await client.set_label("order-status", "production", "1.0.0")
        rendered = await client.render_prompt(
            "order-status",
            {"customer": "Ann", "order": 17},
            version="production",
            model_provider=ModelProvider.OPENAI,
            model_name="gpt-4",
        )
        print(rendered.rendered_content)
        try:
            await client.get_prompt("order-statsu")
        except PromptNotFoundError as error:
            print(error.suggested_prompts)
        stats = client.get_stats()
        print(f"{stats.total_requests} calls, {stats.success_rate:.0%} succeeded")


if __name__ == "__main__":
    asyncio.run(main())
