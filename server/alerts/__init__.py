"""Alerts: rules that one of the servers evaluates each minute, and what a webhook is told of them.

A rule is measured (`measure`), what is measured changes how it stands (`state`), and the webhook
hears of what fires and what does so no more (`webhook`). `alerting` has the thread.
"""
