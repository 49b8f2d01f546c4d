/**
 * Loaded into every child before its role. A role ends in order when its parent is gone, but only from the moment
 * on which it listens for that; a parent that is killed earlier would leave it behind for good.
 */
const endUnlessTheRoleDoes = () => {
  if (process.listenerCount('disconnect') <= 1) process.exit(1);
};

if (process.connected) process.on('disconnect', endUnlessTheRoleDoes);
else process.exit(1);
