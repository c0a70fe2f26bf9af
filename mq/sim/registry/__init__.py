"""The world of registry nodes: brokers that come, go and change, a network that is slow and loses, and what routes may say."""
