(* The protocol of clients and one hub, as a transition system.

   The network is a set: a message once sent may arrive never, late, often and in any order. A crash
   puts a client back to any state it ever saved, under a new incarnation; the hub loses what it had
   not synced; `clone` makes two machines of one incarnation, so that histories fork.
   The invariant: what is durable is a valid ledger, and every client (running or saved) holds the
   fold of exactly the prefix its LSN names. It does not model epochs: one hub, one log.
   Over 500 lines because one invariant is carried through every step, and its cases share one section. *)
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Section Star.
Variables (D : lane) (I L S : eqType) (C : finType).
Variable label : I -> history D S -> L.
Hypothesis label_inj : forall i, injective (label i).

Notation batch := (batch D I L).
Notation history := (history D S).
Notation head := (head label).
Notation valid := (valid label).
Notation fits := (fits label).
Notation known := (known label).
Notation blocked := (blocked label).
Notation sealed := (sealed label).
Notation trace := (trace label).
Notation wf := (wf label).

(* ** The hub's log *)

(* A batch and the hub's verdict: a refused batch moves the head too, and applies nothing. *)
Definition entry := (batch * bool)%type.
Implicit Types (b : batch) (log : seq entry) (i : I).

Definition ledger log : seq batch := [seq e.1 | e <- log].
Definition effect (e : entry) : D := if e.2 then delta e.1 else rest.
Definition value log : D := fold [seq effect e | e <- log].
Definition name b := (inc b, (to b, here b)).
Definition names log := [seq name b | b <- ledger log].

(* Repeats, gaps and forks change nothing: only a batch that begins at the head is taken. *)
Definition receive log b (v : bool) := if fits (ledger log) b then rcons log (b, v) else log.

(* ** A client *)

Record client := Client {
  lsn : nat;              (* how much of the log the reference contains *)
  reference : D;
  mine : I;               (* the incarnation it writes under *)
  tip : history;          (* what it has written under it *)
  pending : seq batch }.  (* sealed and not yet known decided, of this and of earlier incarnations *)

Definition deltas (bs : seq batch) : D := fold [seq delta b | b <- bs].

(* READ: what the user sees. *)
Definition view x : D := reference x ⊙ deltas (pending x).

(* A client that opens for the first time, or again: never under an old incarnation. *)
Definition opened i := Client 0 rest i [::] [::].
Definition reopen x i := Client (lsn x) (reference x) i [::] (pending x).

(* ACCUM: a change enters the pending set, sealed at the end of the own history. *)
Definition write x (ds : seq D) (s : S) :=
  Client (lsn x) (reference x) (mine x) (rcons (tip x) (ds, s))
         (rcons (pending x) (sealed (mine x) (tip x) (ds, s))).

(* The next entry of the stream: its effect enters the reference, an own batch leaves the pending set. *)
Definition on_entry x k (e : entry) :=
  if k == lsn x then
    Client k.+1 (reference x ⊙ effect e) (mine x) (tip x) [seq b <- pending x | b != e.1]
  else x.

(* LOAD: a snapshot names what it contains, and that leaves the pending set. *)
Definition on_snapshot x m (v : D) (ns : seq (I * (nat * L))) :=
  if lsn x <= m then
    Client m v (mine x) (tip x) [seq b <- pending x | name b \notin ns]
  else x.

(* A fork: what follows the branching point is re-issued as one batch under a new incarnation. *)
Definition lost x b := [seq c <- pending x | (inc c == inc b) && (from b <= from c)].
Definition kept x b := [seq c <- pending x | ~~ ((inc c == inc b) && (from b <= from c))].
Definition on_fork x b i (ds : seq D) (s : S) :=
  Client (lsn x) (reference x) i [:: (ds, s)] (rcons (kept x b) (sealed i [::] (ds, s))).

(* ** The world and its steps *)

Record world := World {
  log : seq entry;  dur : nat;                     (* the hub's log, and how much of it is synced *)
  cl : C -> client;  saved : C -> seq client;      (* running clients, and all they ever saved *)
  up : seq batch;  down : seq (nat * entry);       (* the network *)
  snaps : seq (nat * D * seq (I * (nat * L)));  forks : seq batch;
  used : seq I;                                    (* incarnations ever drawn *)
  made : seq batch }.                              (* batches ever sealed *)

Definition durable w := take (dur w) (log w).
Definition set {T : Type} (f : C -> T) (c : C) x := fun c' : C => if c' == c then x else f c'.

Definition with_log w l n := World l n (cl w) (saved w) (up w) (down w) (snaps w) (forks w) (used w) (made w).
Definition with_cl w c x := World (log w) (dur w) (set (cl w) c x) (saved w) (up w) (down w) (snaps w)
                                  (forks w) (used w) (made w).
Definition with_new w c x us bs := World (log w) (dur w) (set (cl w) c x) (saved w) (up w) (down w) (snaps w)
                                         (forks w) us bs.

(* `Write` says that the salt is fresh: nobody sealed this very batch before. Two clones that write the
   same under the same salt would be taken for one, which is why the salt is redrawn. *)
Inductive step (w : world) : world -> Prop :=
| Write c ds s : 0 < size ds -> sealed (mine (cl w c)) (tip (cl w c)) (ds, s) \notin made w ->
    step w (with_new w c (write (cl w c) ds s) (used w)
                     (sealed (mine (cl w c)) (tip (cl w c)) (ds, s) :: made w))
| Send c b : b \in pending (cl w c) ->
    step w (World (log w) (dur w) (cl w) (saved w) (b :: up w) (down w) (snaps w) (forks w) (used w) (made w))
| Receive b v : b \in up w -> step w (with_log w (receive (log w) b v) (dur w))
| SyncHub n : dur w <= n <= size (log w) -> step w (with_log w (log w) n)
| CrashHub n : dur w <= n <= size (log w) -> step w (with_log w (take n (log w)) (dur w))
| Stream k e : k < dur w -> nth e (log w) k = e ->
    step w (World (log w) (dur w) (cl w) (saved w) (up w) ((k, e) :: down w) (snaps w) (forks w) (used w)
              (made w))
| Snapshot m : m <= dur w ->
    step w (World (log w) (dur w) (cl w) (saved w) (up w) (down w)
              ((m, value (take m (log w)), names (take m (log w))) :: snaps w) (forks w) (used w) (made w))
| Refork b : b \in up w -> blocked (ledger (durable w)) b ->
    step w (World (log w) (dur w) (cl w) (saved w) (up w) (down w) (snaps w) (b :: forks w) (used w) (made w))
| GetEntry c k e : (k, e) \in down w -> step w (with_cl w c (on_entry (cl w c) k e))
| GetSnapshot c m v ns : (m, v, ns) \in snaps w -> step w (with_cl w c (on_snapshot (cl w c) m v ns))
| GetFork c b i ds s : b \in forks w -> b \in pending (cl w c) -> i \notin used w -> 0 < size ds ->
    fold ds = deltas (lost (cl w c) b) ->
    step w (with_new w c (on_fork (cl w c) b i ds s) (i :: used w) (sealed i [::] (ds, s) :: made w))
| Save c :
    step w (World (log w) (dur w) (cl w) (set (saved w) c (cl w c :: saved w c)) (up w) (down w) (snaps w)
              (forks w) (used w) (made w))
| Restore c c' x i : List.In x (saved w c') -> i \notin used w ->
    step w (with_new w c (reopen x i) (i :: used w) (made w))
| Clone c c' : step w (with_cl w c (cl w c')).

Inductive steps (w : world) : world -> Prop :=
| steps0 : steps w w
| stepsS w1 w2 : steps w w1 -> step w1 w2 -> steps w w2.

Definition initial w := exists ids : C -> I, injective ids /\
  w = World [::] 0 (fun c => opened (ids c)) (fun _ => [::]) [::] [::] [::] [::] [seq ids c | c <- enum C] [::].

Definition reachable w := exists2 w0, initial w0 & steps w0 w.

Lemma steps_trans w1 w2 w3 : steps w1 w2 -> steps w2 w3 -> steps w1 w3.
Proof. by move=> s12; elim=> // w4 w5 _ IH; apply: stepsS. Qed.

Lemma steps1 w w' : step w w' -> steps w w'.
Proof. exact: stepsS (steps0 w). Qed.

(* ** What a durable prefix means to a client *)

Definition nonempty (h : history) := all (fun e : seal D S => 0 < size e.1) h.

(* The pending batches of one incarnation lie on one history, and on the own one for the current. *)
Definition on_one_history x i := exists h,
  [/\ subseq (branch i (pending x)) (trace i [::] h), nonempty h & i = mine x -> h = tip x].

(* Never does the ledger, however it goes on, take b. *)
Definition doomed led b := forall l2, valid (led ++ l2) -> b \notin led ++ l2.

Record client_ok (us : seq I) (ms : seq batch) (d : seq entry) x : Prop := ClientOk {
  ok_lsn : lsn x <= size d;
  ok_reference : reference x = value (take (lsn x) d);
  ok_pending : {in pending x, forall b, b \notin ledger (take (lsn x) d)};
  ok_uniq : uniq (pending x);
  ok_history : forall i, on_one_history x i;
  ok_used : mine x \in us;
  ok_made : {subset pending x <= ms} }.

Record inv w : Prop := Inv {
  inv_valid : valid (ledger (log w));
  inv_dur : dur w <= size (log w);
  inv_cl : forall c, client_ok (used w) (made w) (durable w) (cl w c);
  inv_saved : forall c x, List.In x (saved w c) -> client_ok (used w) (made w) (durable w) x;
  inv_up : {subset up w <= made w};
  inv_log : {subset ledger (log w) <= made w};
  inv_made : {in made w, forall b, wf b /\ inc b \in used w};
  inv_down : forall k e, (k, e) \in down w -> k < size (durable w) /\ nth e (durable w) k = e;
  inv_snaps : forall m v ns, (m, v, ns) \in snaps w ->
    [/\ m <= size (durable w), v = value (take m (durable w)) & ns = names (take m (durable w))];
  inv_forks : {in forks w, forall b, doomed (ledger (durable w)) b} }.

(* ** Lemmas about logs *)

Lemma value_cat l1 l2 : value (l1 ++ l2) = value l1 ⊙ value l2.
Proof. by rewrite /value map_cat fold_cat. Qed.

Lemma value_rcons l e : value (rcons l e) = value l ⊙ effect e.
Proof. by rewrite /value map_rcons fold_rcons. Qed.

Lemma ledger_cat l1 l2 : ledger (l1 ++ l2) = ledger l1 ++ ledger l2.
Proof. exact: map_cat. Qed.

Lemma valid_durable w : inv w -> valid (ledger (durable w)).
Proof.
move=> iw; apply: (@valid_catl _ _ _ _ label _ (ledger (drop (dur w) (log w)))).
by rewrite -ledger_cat cat_take_drop; apply: inv_valid.
Qed.

Lemma size_durable w : inv w -> size (durable w) = dur w.
Proof. by move=> iw; rewrite size_take_min; apply/minn_idPl; apply: inv_dur. Qed.

Lemma receive_valid log b v : wf b -> valid (ledger log) -> valid (ledger (receive log b v)).
Proof.
move=> wfb vl; rewrite /receive; case: ifP => // fb.
by rewrite /ledger map_rcons; apply: valid1.
Qed.

Lemma receive_prefix log b v : exists l2, receive log b v = log ++ l2.
Proof.
rewrite /receive; case: ifP => _; last by exists [::]; rewrite cats0.
by exists [:: (b, v)]; rewrite cats1.
Qed.

(* A repeat changes nothing. *)
Theorem receive_repeat log b v v' : valid (ledger log) -> wf b ->
  receive (receive log b v) b v' = receive log b v.
Proof.
move=> vl wfb; have := receive_valid v wfb vl; rewrite /receive; case: (boolP (fits _ b)) => [fb vr|/negbTE -> //].
by rewrite (negbTE (repeat_never_fits vr _)) // /ledger map_rcons mem_rcons inE eqxx.
Qed.

(* ** Lemmas about histories *)

Lemma traceP i h b : reflect (exists h1 e h2, h = h1 ++ e :: h2 /\ b = sealed i h1 e) (b \in trace i [::] h).
Proof.
suff G h0 : b \in trace i h0 h <-> exists h1 e h2, h = h1 ++ e :: h2 /\ b = sealed i (h0 ++ h1) e.
  by case: (G [::]) => G1 G2; apply: (iffP idP).
elim: h h0 => [|e h IH] h0 /=; first by split=> // -[[|? ?] [? [? []]]].
rewrite inE; split.
  case/orP => [/eqP ->|/IH [h1 [e' [h2 [-> ->]]]]]; first by exists [::], e, h; rewrite cats0.
  by exists (e :: h1), e', h2; rewrite cat_rcons.
case=> -[|e1 h1] [e' [h2 [[-> Eh] Eb]]]; first by rewrite Eb cats0 eqxx.
by apply/orP; right; apply/IH; exists h1, e', h2; rewrite cat_rcons.
Qed.

Lemma trace_inc i h b : b \in trace i [::] h -> inc b = i.
Proof. by case/traceP => h1 [e [h2 [_ ->]]]. Qed.

Lemma on_history_wf x i b : on_one_history x i -> b \in pending x -> inc b = i -> wf b.
Proof.
case=> h [/mem_subseq sub ne _] bp bi; have: b \in branch i (pending x) by rewrite mem_filter bi eqxx.
move/sub/traceP => [h1 [e [h2 [E ->]]]]; exists h1, e; split=> //.
by move: ne; rewrite E /nonempty all_cat /= => /and3P [].
Qed.

(* A ledger that holds a batch holds all that came before it in its history. *)
Lemma valid_ancestor led i h1 e1 h2 e2 : valid led ->
  sealed i (h1 ++ e1 :: h2) e2 \in led -> sealed i h1 e1 \in led.
Proof.
move=> vl inl; have [h [E _]] := head_names_history label_inj vl i.
have: sealed i (h1 ++ e1 :: h2) e2 \in branch i led by rewrite mem_filter /= eqxx.
rewrite E => /traceP [g1 [e [g2 [Eh]]]] [_ _ _ /label_inj /rcons_inj [E1 E2] _].
have: sealed i h1 e1 \in branch i led.
  by rewrite E; apply/traceP; exists h1, e1, (h2 ++ e :: g2); rewrite Eh -E1 -catA.
by rewrite mem_filter => /andP [].
Qed.

Lemma bound_cat (h1 h2 : history) : bound (h1 ++ h2) = bound h1 + bound h2.
Proof. by rewrite /bound /changes map_cat flatten_cat size_cat. Qed.

Lemma bound_pos e (h : history) : 0 < size e.1 -> 0 < bound (e :: h).
Proof. by move=> pos; rewrite /bound /changes /= size_cat addn_gt0 pos. Qed.

Lemma prefix_cases (T : Type) (h1 h2 : seq T) e1 e2 g1 g2 : h1 ++ e1 :: g1 = h2 ++ e2 :: g2 ->
  [\/ h1 = h2 /\ e1 = e2, exists h3, h2 = h1 ++ e1 :: h3 | exists h3, h1 = h2 ++ e2 :: h3].
Proof.
elim: h1 h2 => [|f h1 IH] [|f' h2] /= [].
- by move=> -> _; constructor 1.
- by move=> -> _; constructor 2; exists h2.
- by move=> -> _; constructor 3; exists h1.
- move=> -> /IH [[-> ->]|[h3 ->]|[h3 ->]].
  + by constructor 1.
  + by constructor 2; exists h3.
  + by constructor 3; exists h3.
Qed.

Lemma doomed_later led b c i h : nonempty h -> b \in trace i [::] h -> c \in trace i [::] h ->
  from b <= from c -> doomed led b -> doomed led c.
Proof.
move=> ne /traceP [h1 [e1 [g1 [E1 ->]]]] /traceP [h2 [e2 [g2 [E2 ->]]]] /= le db l2 vl.
apply/negP => cl; move/negP: (db _ vl); apply.
have pos2 : 0 < size e2.1 by move: ne; rewrite E2 /nonempty all_cat /= => /and3P [].
case: (@prefix_cases _ h1 h2 e1 e2 g1 g2); first by rewrite -E1.
- by move=> [-> ->].
- by move=> [h3 Eh]; move: cl; rewrite Eh; exact: valid_ancestor.
- move=> [h3 Eh]; move: le; rewrite Eh bound_cat -[X in _ <= X]addn0 leq_add2l leqn0 => /eqP z.
  by have := @bound_pos e2 h3 pos2; rewrite z.
Qed.

Lemma blocked_doomed led b : valid led -> wf b -> blocked led b -> doomed led b.
Proof. by move=> _ wfb bl l2 vl; exact: (blocked_for_ever vl wfb bl). Qed.

Lemma doomed_cat led l b : doomed led b -> doomed (led ++ l) b.
Proof. by move=> db l2; rewrite -catA => vl; exact: db. Qed.

(* ** Each action keeps a client right *)

Lemma client_grows (us us' : seq I) (ms ms' : seq batch) d x l : {subset us <= us'} -> {subset ms <= ms'} ->
  client_ok us ms d x -> client_ok us' ms' (d ++ l) x.
Proof.
move=> su sm [le rf pn uq hs um bm]; have tk : take (lsn x) (d ++ l) = take (lsn x) d by exact: takel_cat.
split=> //; rewrite ?tk //.
- by rewrite size_cat; apply: leq_trans (leq_addr _ _).
- by move/su: um.
- by move=> b /bm /sm.
Qed.

Lemma opened_ok us i : i \in us -> client_ok us [::] [::] (opened i).
Proof.
move=> iu; split=> //=; first by rewrite /value /= fold0.
by move=> j; exists [::].
Qed.

Lemma fresh_branch (us : seq I) (bs : seq batch) i :
  {in bs, forall b, inc b \in us} -> i \notin us -> branch i bs = [::].
Proof.
move=> bu iu; apply/eqP; rewrite -size_eq0 size_filter -leqn0 leqNgt -has_count.
by apply/hasPn => b bb; apply: contra iu => /eqP <-; exact: bu.
Qed.

Lemma write_ok us ms d x ds s : client_ok us ms d x -> 0 < size ds ->
  {subset ledger d <= ms} -> sealed (mine x) (tip x) (ds, s) \notin ms ->
  client_ok us (sealed (mine x) (tip x) (ds, s) :: ms) d (write x ds s).
Proof.
set b := sealed _ _ _ => -[le rf pn uq hs um bm] pos dm nb; split=> //=.
- move=> c; rewrite mem_rcons inE => /orP [/eqP ->|]; last exact: pn.
  by apply: contra nb => /(mem_subseq (map_subseq _ (take_subseq _ _))) /dm.
- by rewrite rcons_uniq uq andbT; apply: contra nb => /bm.
- move=> i; rewrite /on_one_history /= branch_rcons /=; case: (mine x =P i) => [<-|ne].
    have [h [sub nes /(_ erefl) E]] := hs (mine x); exists (rcons h (ds, s)); split.
    + by rewrite trace_rcons /= -!cats1 E; apply: cat_subseq; rewrite -?E //= eqxx.
    + by rewrite /nonempty all_rcons pos.
    + by rewrite E.
  by have [h [sub nes _]] := hs i; exists h; split=> // /esym /ne.
- by move=> c; rewrite mem_rcons !inE => /orP [-> //|/bm ->]; rewrite orbT.
Qed.

Lemma branch_filter (p : pred batch) (bs : seq batch) i :
  subseq (branch i [seq b <- bs | p b]) (branch i bs).
Proof. by rewrite /branch -!filter_predI (eq_filter (fun b => andbC _ _)) filter_predI filter_subseq. Qed.

Lemma filter_history (p : pred batch) x n v i :
  on_one_history x i -> on_one_history (Client n v (mine x) (tip x) [seq b <- pending x | p b]) i.
Proof.
by move=> [h [sub ne E]]; exists h; split=> //=; apply: subseq_trans sub; exact: branch_filter.
Qed.

Lemma ledger_take k e d : k < size d -> nth e d k = e -> ledger (take k.+1 d) = rcons (ledger (take k d)) e.1.
Proof. by move=> lt E; rewrite (take_nth e lt) E /ledger map_rcons. Qed.

Lemma on_entry_ok us ms d x k e : k < size d -> nth e d k = e -> client_ok us ms d x ->
  client_ok us ms d (on_entry x k e).
Proof.
move=> lt E ok; rewrite /on_entry; case: eqP => // kl; case: ok => le rf pn uq hs um bm; split=> //=.
- by rewrite (take_nth e lt) E value_rcons rf kl.
- move=> b; rewrite mem_filter => /andP [ne bp]; rewrite (ledger_take lt E) mem_rcons inE negb_or ne kl.
  exact: pn.
- exact: filter_uniq.
- by move=> i; apply: (filter_history (fun b => b != e.1)).
- by move=> b; rewrite mem_filter => /andP [_ /bm].
Qed.

Lemma name_in b l : b \in l -> name b \in [seq name b | b <- l].
Proof. exact: map_f. Qed.

Lemma on_snapshot_ok us ms d x m v ns : m <= size d -> v = value (take m d) -> ns = names (take m d) ->
  client_ok us ms d x -> client_ok us ms d (on_snapshot x m v ns).
Proof.
move=> lt -> -> ok; rewrite /on_snapshot; case: ifP => // kl; case: ok => le rf pn uq hs um bm; split=> //=.
- by move=> b; rewrite mem_filter => /andP [nb _]; apply: contra nb; exact: map_f.
- exact: filter_uniq.
- by move=> i; apply: (filter_history (fun b => name b \notin names (take m d))).
- by move=> b; rewrite mem_filter => /andP [_ /bm].
Qed.

Lemma on_fork_ok us ms d x b i ds s : client_ok us ms d x -> {in ms, forall b, inc b \in us} ->
  {subset ledger d <= ms} -> i \notin us -> 0 < size ds ->
  client_ok (i :: us) (sealed i [::] (ds, s) :: ms) d (on_fork x b i ds s).
Proof.
move=> [le rf pn uq hs um bm] mu dm iu pos.
have new: sealed i [::] (ds, s) \notin ms by apply: contra iu => /mu.
have kp: {subset kept x b <= pending x} by move=> c; rewrite mem_filter => /andP [].
split=> //=.
- move=> c; rewrite mem_rcons inE => /orP [/eqP ->|/kp /pn //].
  by apply: contra new => /(mem_subseq (map_subseq _ (take_subseq _ _))) /dm.
- by rewrite rcons_uniq filter_uniq // andbT; apply: contra new => /kp /bm.
- move=> j; rewrite /on_one_history /= branch_rcons /=; case: (i =P j) => [<-|ne].
    exists [:: (ds, s)]; rewrite /nonempty /= pos; split=> //.
    by rewrite (@fresh_branch us) /= ?eqxx // => c /kp /bm /mu.
  have [h [sub nes _]] := hs j; exists h; split=> //; last by move=> /esym /ne.
  by apply: subseq_trans sub; exact: branch_filter.
- by rewrite inE eqxx.
- by move=> c; rewrite mem_rcons !inE => /orP [-> //|/kp /bm ->]; rewrite orbT.
Qed.

Lemma reopen_ok us ms d x i : client_ok us ms d x -> {in ms, forall b, inc b \in us} -> i \notin us ->
  client_ok (i :: us) ms d (reopen x i).
Proof.
move=> [le rf pn uq hs um bm] mu iu; split=> //=; last by rewrite inE eqxx.
move=> j; case: (j =P i) => [->|ji].
  by exists [::]; split=> //; rewrite (@fresh_branch us) // => b /bm /mu.
by have [h [sub ne _]] := hs j; exists h; split=> // /ji.
Qed.

(* ** Each step keeps the world right *)

Lemma durable_prefix w w' : inv w -> step w w' -> exists l, durable w' = durable w ++ l.
Proof.
move=> iw; have le := inv_dur iw.
case=> [c ds s pos new|c b bp|b v bu|n ns|n ns|k e lt E|m lm|b bu bl|c k e ke|c m v ns mv
  |c b i ds s bf bp iu pos Ef|c|c c' x i xs iu|c c']; try by exists [::]; rewrite cats0.
- rewrite /durable /=; have [l ->] := receive_prefix (log w) b v; exists [::].
  by rewrite cats0 takel_cat.
- rewrite /durable /=; case/andP: ns => dn ns; exists (take (n - dur w) (drop (dur w) (log w))).
  by rewrite -{1}(cat_take_drop (dur w) (log w)) take_cat size_takel // ltnNge dn.
- rewrite /durable /=; case/andP: ns => dn ns; exists [::].
  by rewrite cats0 take_take.
Qed.

Lemma durable_nth w k e : inv w -> k < dur w -> nth e (log w) k = e ->
  k < size (durable w) /\ nth e (durable w) k = e.
Proof. by move=> iw lt E; rewrite size_durable // nth_take. Qed.

Lemma ledger_durable w : inv w -> {subset ledger (durable w) <= made w}.
Proof. by move=> iw b /(mem_subseq (map_subseq _ (take_subseq _ _))); exact: inv_log. Qed.

Lemma wf_sealed i h ds s : 0 < size ds -> wf (sealed i h (ds, s)).
Proof. by move=> pos; exists h, (ds, s). Qed.

Lemma set_ok (P : client -> Prop) (f : C -> client) c x :
  (forall c', P (f c')) -> P x -> forall c', P (set f c x c').
Proof. by move=> Pf Px c'; rewrite /set; case: eqP. Qed.

Lemma inv_step w w' : inv w -> step w w' -> inv w'.
Proof.
move=> iw st; have [l El] := durable_prefix iw st.
have [iv idur icl isv iup ilg imd idn isn ifk] := iw.
have mu : {in made w, forall b, inc b \in used w} by move=> b /imd [].
have grow us' ms' x : {subset used w <= us'} -> {subset made w <= ms'} ->
    client_ok (used w) (made w) (durable w) x -> client_ok us' ms' (durable w') x.
  by move=> su sm ok; rewrite El; apply: client_grows ok.
have dn k e : k < size (durable w) /\ nth e (durable w) k = e ->
    k < size (durable w') /\ nth e (durable w') k = e.
  by case=> lt E; rewrite El size_cat nth_cat lt E ltn_addr.
have sn m v (ns : seq (I * (nat * L))) :
    [/\ m <= size (durable w), v = value (take m (durable w)) & ns = names (take m (durable w))] ->
    [/\ m <= size (durable w'), v = value (take m (durable w')) & ns = names (take m (durable w'))].
  by case=> le -> ->; rewrite El size_cat takel_cat // (leq_trans le) ?leq_addr.
have fk b : doomed (ledger (durable w)) b -> doomed (ledger (durable w')) b.
  by rewrite El ledger_cat; exact: doomed_cat.
have idd x : {subset x <= x} by [].
have sub1 (T : eqType) (a : T) s : {subset s <= a :: s} by move=> y ys; rewrite inE ys orbT.
case: st El grow dn sn fk => [c ds s pos new|c b bp|b v bu|n ns|n ns|k e lt E|m le|b bu bl|c k e ke
  |c m v ns mv|c b i ds s bf bp iu pos Ef|c|c c' x i xs iu|c c'] El grow dn sn fk;
  split=> //=; try by [move=> *; exact: dn (idn _ _ _) | move=> *; exact: sn (isn _ _ _ _)
                      | move=> *; exact: fk (ifk _ _)
                      | move=> c0 x0 /isv; exact: grow | move=> c0; exact: grow (icl c0)].
- by apply: (set_ok (P := client_ok _ _ _)) => [c1|]; [exact: grow (icl c1) | exact: write_ok (ledger_durable iw) new].
- by move=> b /iup; exact: sub1.
- by move=> b /ilg; exact: sub1.
- move=> b; rewrite inE => /orP [/eqP -> /=|/imd //].
  by split; [exact: wf_sealed | exact: ok_used (icl c)].
- by move=> b'; rewrite inE => /orP [/eqP ->|/iup //]; exact: ok_made bp.
- by apply: receive_valid => //; case: (imd b (iup b bu)).
- by have [l2 ->] := receive_prefix (log w) b v; rewrite size_cat; apply: leq_trans (leq_addr _ _).
- rewrite /receive; case: ifP => // _ b'; rewrite /ledger map_rcons mem_rcons inE => /orP [/eqP ->|/ilg //].
  exact: iup.
- by case/andP: ns.
- apply: (@valid_catl _ _ _ _ label _ (ledger (drop n (log w)))).
  by rewrite -ledger_cat cat_take_drop.
- by rewrite size_takel; case/andP: ns.
- by move=> b /(mem_subseq (map_subseq _ (take_subseq _ _))); exact: ilg.
- move=> k' e'; rewrite inE => /orP [/eqP [-> ->]|/idn //].
  exact: (durable_nth iw).
- move=> m' v ns; rewrite inE => /orP [/eqP [-> -> ->]|/isn //].
  by split; rewrite -[durable _]/(durable w) ?size_durable // /durable take_take.
- move=> b'; rewrite inE => /orP [/eqP ->|/ifk //].
  exact: (blocked_doomed (valid_durable iw) (imd b (iup b bu)).1 bl).
- by have [lt E] := idn _ _ ke; apply: (set_ok (P := client_ok _ _ _)) => // ; exact: on_entry_ok.
- by have [le Ev En] := isn _ _ _ mv; apply: (set_ok (P := client_ok _ _ _)) => // ; exact: on_snapshot_ok.
- apply: (set_ok (P := client_ok _ _ _)) => [c1|]; first by apply: grow (icl c1); exact: sub1.
  exact: on_fork_ok (icl c) mu (ledger_durable iw) iu pos.
- by move=> b' /iup; exact: sub1.
- by move=> b' /ilg; exact: sub1.
- move=> b'; rewrite inE => /orP [/eqP -> /=|/imd [wfb iub]]; last by split=> //; exact: sub1.
  by split; [exact: wf_sealed | exact: mem_head].
- move=> c0 x; rewrite /set; case: eqP => [_|_]; last exact: isv.
  by case=> [<-|]; [exact: icl | exact: isv].
- apply: (set_ok (P := client_ok _ _ _)) => [c1|]; first by apply: grow (icl c1) => //; exact: sub1.
  exact: reopen_ok (isv _ _ xs) mu iu.
- by move=> b' /imd [wfb iub]; split=> //; exact: sub1.
- by apply: (set_ok (P := client_ok _ _ _)).
Qed.

Lemma inv_initial w : initial w -> inv w.
Proof.
case=> ids [_ ->]; split=> //=; first exact: valid0.
by move=> c; apply: opened_ok; apply: map_f; rewrite mem_enum.
Qed.

Lemma inv_steps w w' : inv w -> steps w w' -> inv w'.
Proof. by move=> iw; elim=> // w1 w2 _ IH; exact: inv_step. Qed.

Theorem inv_reachable w : reachable w -> inv w.
Proof. by case=> w0 /inv_initial i0; exact: inv_steps. Qed.

(* ** What users rely on *)

(* What is durable stays, whatever happens after: crashes, restores, clones, repeats. *)
Theorem durable_stays w w' : reachable w -> steps w w' -> exists l, durable w' = durable w ++ l.
Proof.
move=> /inv_reachable iw; elim=> [|w1 w2 s1 [l E] s2]; first by exists [::]; rewrite cats0.
have [l' ->] := durable_prefix (inv_steps iw s1) s2; exists (l ++ l').
by rewrite catA E.
Qed.

(* A client holds the fold of exactly the prefix of the log its LSN names. *)
Theorem reference_is_prefix w c : reachable w ->
  reference (cl w c) = value (take (lsn (cl w c)) (durable w)).
Proof. by move=> /inv_reachable iw; exact: ok_reference (inv_cl iw c). Qed.

(* The heads a client has reached are those of that prefix. *)
Definition heads w c i := head i (ledger (take (lsn (cl w c)) (durable w))).

Lemma valid_take w n : inv w -> valid (ledger (take n (durable w))).
Proof.
move=> iw; apply: (@valid_catl _ _ _ _ label _ (ledger (drop n (durable w)))).
by rewrite -ledger_cat cat_take_drop; exact: valid_durable.
Qed.

(* Same heads: the same place in the log. *)
Theorem same_heads_same_lsn w c1 c2 : reachable w ->
  (forall i, heads w c1 i = heads w c2 i) -> lsn (cl w c1) = lsn (cl w c2).
Proof.
move=> /inv_reachable iw hs.
have := perm_size (same_heads_same_batches label_inj (valid_take _ iw) (valid_take _ iw) hs).
have sz c : size (take (lsn (cl w c)) (durable w)) = lsn (cl w c).
  by apply: size_takel; exact: ok_lsn (inv_cl iw c).
by rewrite !size_map !sz.
Qed.

(* Strong convergence: same heads, same state, for any number of clients and after any faults. *)
Theorem strong_convergence w c1 c2 : reachable w ->
  (forall i, heads w c1 i = heads w c2 i) -> reference (cl w c1) = reference (cl w c2).
Proof. by move=> rw hs; rewrite !reference_is_prefix // (same_heads_same_lsn rw hs). Qed.

(* And with nothing pending, users see the same. *)
Theorem same_heads_same_view w c1 c2 : reachable w -> (forall i, heads w c1 i = heads w c2 i) ->
  pending (cl w c1) = [::] -> pending (cl w c2) = [::] -> view (cl w c1) = view (cl w c2).
Proof. by move=> rw hs p1 p2; rewrite /view p1 p2 (strong_convergence rw hs). Qed.

(* Nothing is taken twice by the hub, however often it was sent. *)
Theorem taken_once w : reachable w -> uniq (ledger (log w)).
Proof. by move=> /inv_reachable iw; exact: valid_uniq label_inj _ (inv_valid iw). Qed.

(* Nothing is counted twice by a user: what is in the reference is not pending, and pending is a set. *)
Theorem counted_once w c : reachable w ->
  uniq (ledger (take (lsn (cl w c)) (durable w)) ++ pending (cl w c)).
Proof.
move=> /inv_reachable iw; have ok := inv_cl iw c; rewrite cat_uniq (ok_uniq ok) andbT.
rewrite (valid_uniq label_inj (valid_take _ iw)) /=.
by apply/hasPn => b; exact: ok_pending ok b.
Qed.

(* No acknowledged change is lost: once an entry of the durable log, for ever that entry, and exactly once. *)
Theorem acknowledged_stays w w' b v k : reachable w -> steps w w' ->
  k < dur w -> nth (b, v) (durable w) k = (b, v) ->
  nth (b, v) (durable w') k = (b, v) /\ count_mem b (ledger (durable w')) = 1.
Proof.
move=> rw ss lt E; have iw := inv_reachable rw; have [l El] := durable_stays rw ss.
have E' : nth (b, v) (durable w') k = (b, v) by rewrite El nth_cat size_durable // lt.
split=> //; have iw' := inv_steps iw ss; rewrite count_uniq_mem ?(valid_uniq label_inj (valid_durable iw')) //.
suff -> : b \in ledger (durable w') by [].
have lt' : k < size (durable w') by rewrite El size_cat size_durable // ltn_addr.
by rewrite -[b]/((b, v).1) -E'; apply: map_f; apply: mem_nth.
Qed.

(* A batch leaves the pending set only into the durable log, or re-issued; a running client that neither
   restores, clones nor forks never loses one. *)
Theorem pending_not_lost w c k e b : reachable w -> (k, e) \in down w ->
  b \in pending (cl w c) -> b \notin pending (on_entry (cl w c) k e) -> b \in ledger (durable w).
Proof.
move=> /inv_reachable iw /(inv_down iw) [lt E] bp; rewrite /on_entry; case: eqP => _ /=; last by rewrite bp.
rewrite mem_filter bp andbT negbK => /eqP ->; rewrite -E; apply: map_f; exact: mem_nth.
Qed.

Theorem snapshot_not_lost w c m v ns b : reachable w -> (m, v, ns) \in snaps w ->
  b \in pending (cl w c) -> b \notin pending (on_snapshot (cl w c) m v ns) -> b \in ledger (durable w).
Proof.
move=> /inv_reachable iw /(inv_snaps iw) [lt _ ->] bp; rewrite /on_snapshot; case: ifP => _ /=; last by rewrite bp.
rewrite mem_filter bp andbT negbK => /mapP [b' b'l [ei _ eh]].
have -> : b = b'; last by move: b'l => /(mem_subseq (map_subseq _ (take_subseq _ _))).
have [wfb _] := inv_made iw (ok_made (inv_cl iw c) bp).
apply: (wf_here label_inj wfb) => //.
exact: valid_wf (valid_take m iw) _ b'l.
Qed.

(* What was re-issued after a fork is never counted under its old name as well, however late it arrives. *)
Theorem reissued_never_counted w w' c b b' : reachable w -> b \in forks w -> b \in pending (cl w c) ->
  b' \in lost (cl w c) b -> steps w w' -> b' \notin ledger (log w').
Proof.
move=> rw bf bp; have iw := inv_reachable rw.
rewrite mem_filter => /andP [/andP [/eqP ib le] bp'] ss; have iw' := inv_steps iw ss.
have [h [/mem_subseq sub ne _]] := ok_history (inv_cl iw c) (inc b).
have tb : b \in trace (inc b) [::] h by apply: sub; rewrite mem_filter eqxx.
have tb' : b' \in trace (inc b) [::] h by apply: sub; rewrite mem_filter ib eqxx.
have db := doomed_later ne tb tb' le (inv_forks iw bf).
have [l El] := durable_stays rw ss; rewrite -(cat_take_drop (dur w') (log w')) ledger_cat -/(durable w') El.
rewrite ledger_cat -catA; apply: db; rewrite catA -ledger_cat -El -ledger_cat cat_take_drop.
exact: inv_valid iw'.
Qed.

(* A fork is noticed by whoever was overtaken; two different continuations are never both counted. *)
Theorem one_branch_counts w b c : reachable w -> inc b = inc c -> from b = from c -> past b = past c ->
  b \in ledger (log w) -> c \in ledger (log w) -> b = c.
Proof. by move=> /inv_reachable iw; exact: no_two_branches (inv_valid iw). Qed.

End Star.
