"""The durable record of deliveries, and the engine that schedules their drain."""
