"""How other programs are reached."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """`private_networks` lets owners have this server tell those of its own network, and by http."""

    private_networks: bool = False
