"""The network as read: treatments, blocks of effects and arms, its graph, and where it is read from."""
