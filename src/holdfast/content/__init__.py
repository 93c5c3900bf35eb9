"""What a business publishes: items in versions, topics and tags, media, collections, a glossary."""
