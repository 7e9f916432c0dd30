(* After faults stop, a fair run ends with all equal.

   A quiet step delivers, syncs or saves; nobody writes, crashes, restores or clones any more. `work` is a
   number that no quiet step raises and every effective one lowers; while clients differ an effective
   step is within reach. Hence a fair run becomes still, and still means equal. *)
From mathcomp Require Import all_ssreflect.
From ATOMiK Require Import Lanes Ledger Star.
Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.

Section Convergence.
Variables (D : lane) (I L S : eqType) (C : finType).
Variable label : I -> history D S -> L.
Hypothesis label_inj : forall i, injective (label i).
(* Fresh incarnations can be drawn, and there is some salt. *)
Variable fresh : seq I -> I.
Hypothesis freshP : forall us, fresh us \notin us.
Variable salt : S.

Notation batch := (batch D I L).
Notation entry := (entry D I L).
Notation client := (client D I L S).
Notation world := (world D I L S C).
Notation step := (step label).
Notation steps := (steps label).
Notation inv := (inv label).
Notation known := (known label).
Notation fits := (fits label).
Notation blocked := (blocked label).
Implicit Types (w : world) (b : batch).

(* Incarnations drawn before things went quiet; rotations after that are not among them. *)
Variable base : seq I.

Inductive quiet w : world -> Prop :=
| QSend c b : b \in pending (cl w c) ->
    quiet w (World (log w) (dur w) (cl w) (saved w) (b :: up w) (down w) (snaps w) (forks w) (used w) (made w))
| QReceive b v : b \in up w -> quiet w (with_log w (receive label (log w) b v) (dur w))
| QSync n : dur w <= n <= size (log w) -> quiet w (with_log w (log w) n)
| QStream k e : k < dur w -> nth e (log w) k = e ->
    quiet w (World (log w) (dur w) (cl w) (saved w) (up w) ((k, e) :: down w) (snaps w) (forks w) (used w)
              (made w))
| QRefork b : b \in up w -> blocked (ledger (durable w)) b ->
    quiet w (World (log w) (dur w) (cl w) (saved w) (up w) (down w) (snaps w) (b :: forks w) (used w) (made w))
| QEntry c k e : (k, e) \in down w -> quiet w (with_cl w c (on_entry (cl w c) k e))
| QFork c b i ds s : b \in forks w -> b \in pending (cl w c) -> i \notin used w -> 0 < size ds ->
    fold ds = deltas (lost (cl w c) b) ->
    quiet w (with_new w c (on_fork label (cl w c) b i ds s) (i :: used w) (sealed label i [::] (ds, s) :: made w))
| QSave c :
    quiet w (World (log w) (dur w) (cl w) (set (saved w) c (cl w c :: saved w c)) (up w) (down w) (snaps w)
              (forks w) (used w) (made w)).

(* Quiet steps are steps of the protocol: nothing is assumed that it does not do. *)
Theorem quiet_is_step w w' : quiet w w' -> step w w'.
Proof.
case=> [c b bp|b v bu|n ns|k e lt E|b bu bl|c k e ke|c b i ds s bf bp iu pos E|c].
- exact: Send bp.
- exact: Receive bu.
- exact: SyncHub ns.
- exact: Stream lt E.
- exact: Refork bu bl.
- exact: GetEntry ke.
- exact: GetFork bf bp iu pos E.
- exact: Save.
Qed.

Inductive quiets w : world -> Prop :=
| quiets0 : quiets w w
| quietsS w1 w2 : quiets w w1 -> quiet w1 w2 -> quiets w w2.

Lemma quiets_steps w w' : quiets w w' -> steps w w'.
Proof. by elim=> [|w1 w2 _ IH /quiet_is_step]; [exact: steps0 | apply: stepsS]. Qed.

(* ** What holds while things are quiet *)

(* A pending batch continues something: the beginning, a batch before it in the pending set, or one in the
   part of the log the client has. *)
Definition continues (x : client) (d : seq entry) b :=
  (from b, past b) \in known (inc b) (ledger (take (lsn x) d)) \/
  exists p, [/\ p \in pending x, inc p = inc b, from p < from b & (to p, here p) = (from b, past b)].

(* A rotation while quiet makes one batch under its incarnation, and begins it. *)
Definition single w := forall b, b \in made w -> inc b \notin base ->
  (from b, past b) = root label (inc b) /\ forall c, c \in made w -> inc c = inc b -> c = b.

Record calm w : Prop := Calm {
  calm_inv : inv w;
  calm_base : {subset base <= used w};
  calm_single : single w;
  calm_chain : forall c, {in pending (cl w c), forall b, continues (cl w c) (durable w) b} }.

Definition lags w := \sum_(c : C) (size (log w) - lsn (cl w c)) + (size (log w) - dur w).
Definition all_pending w := flatten [seq pending (cl w c) | c <- enum C].
Definition old w := \sum_(c : C) count (fun b => inc b \in base) (pending (cl w c)).
Definition waiting w := undup [seq b <- up w ++ all_pending w | b \notin ledger (log w)].
Definition weight := #|C|.+2.

(* Old batches that may still have to rotate; batches the hub may still take; entries clients have not seen. *)
Definition work w := weight.+1 * old w + weight * size (waiting w) + lags w.

(* All a user can see or lose: the rest of the world is messages. *)
Definition same_core w w' := [/\ log w' = log w, dur w' = dur w & forall c, cl w' c = cl w c].

Lemma mem_all_pending w b : reflect (exists c, b \in pending (cl w c)) (b \in all_pending w).
Proof.
apply: (iffP flatten_mapP) => [[c _ bc]|[c bc]]; first by exists c.
by exists c; rewrite ?mem_enum.
Qed.

Lemma known_more i (l1 l2 : seq batch) x : x \in known i l1 -> x \in known i (l1 ++ l2).
Proof. by rewrite /known !inE branch_cat map_cat mem_cat => /orP [->//|->]; rewrite orbT. Qed.

Lemma take_more (d : seq entry) m n : m <= n -> exists l, take n d = take m d ++ l.
Proof.
move=> le; exists (drop m (take n d)).
by rewrite -{1}(cat_take_drop m (take n d)) take_take.
Qed.

(* Fewer waiting, or as many: only what is sent, pending and not taken counts. *)
Lemma waiting_sub w w' : {subset waiting w' <= waiting w} -> size (waiting w') <= size (waiting w).
Proof. by move=> sub; apply: uniq_leq_size => //; exact: undup_uniq. Qed.

Lemma mem_waiting w b :
  (b \in waiting w) = (b \notin ledger (log w)) && ((b \in up w) || (b \in all_pending w)).
Proof. by rewrite mem_undup mem_filter mem_cat. Qed.

Lemma sum_set (F : client -> nat) (f : C -> client) c x :
  \sum_(c' : C) F (set f c x c') + F (f c) = \sum_(c' : C) F (f c') + F x.
Proof.
rewrite (bigD1 c) //= [X in _ = X + _](bigD1 c) //= /set eqxx.
rewrite (eq_bigr (fun c' => F (f c'))); last by move=> c' /negbTE ->.
by rewrite addnC [F x + _]addnC addnA.
Qed.

Lemma sum_set_le (F : client -> nat) (f : C -> client) c x :
  F x <= F (f c) -> \sum_(c' : C) F (set f c x c') <= \sum_(c' : C) F (f c').
Proof. by move=> le; rewrite -(leq_add2r (F (f c))) sum_set leq_add2l. Qed.

Lemma sum_set_lt (F : client -> nat) (f : C -> client) c x :
  F x < F (f c) -> \sum_(c' : C) F (set f c x c') < \sum_(c' : C) F (f c').
Proof. by move=> lt; rewrite -(ltn_add2r (F (f c))) sum_set ltn_add2l. Qed.

(* ** No quiet step raises the work, and one that changes anything lowers it *)

Lemma fork_is_old w c b : calm w -> b \in forks w -> b \in pending (cl w c) -> inc b \in base.
Proof.
move=> [iw _ sg _] bf bp; apply/negPn/negP => nb; have bm := ok_made (inv_cl iw c) bp.
have [[ef ep] one] := sg b bm nb; have db := inv_forks iw bf.
have vd := valid_durable iw; have [wfb _] := inv_made iw bm.
have no: b \notin ledger (durable w) by have := db [::]; rewrite cats0; apply.
have nil: branch (inc b) (ledger (durable w)) = [::].
  apply/eqP; rewrite -size_eq0 size_filter -leqn0 leqNgt -has_count; apply/hasPn => x xd.
  apply: contra no => /eqP /(one x (ledger_durable iw xd)) <- //.
have: b \notin ledger (durable w) ++ [:: b].
  apply: db; rewrite cats1; apply: valid1 => //.
  by rewrite /Ledger.fits /Ledger.head nil /= ef ep.
by rewrite mem_cat inE eqxx orbT.
Qed.

Lemma lost_count w c b i ds s : calm w -> b \in forks w -> b \in pending (cl w c) -> i \notin used w ->
  count (fun b => inc b \in base) (pending (on_fork label (cl w c) b i ds s)) <
  count (fun b => inc b \in base) (pending (cl w c)).
Proof.
move=> cw bf bp iu; have bb := fork_is_old cw bf bp.
have ib : (i \in base) = false by apply/negP => /(calm_base cw); rewrite (negbTE iu).
rewrite /= -cats1 count_cat /= ib !addn0 /kept.
elim: (pending (cl w c)) bp => [|x bs IH] //; rewrite inE /=.
case: (b =P x) => [<- _|ne /= bp].
  rewrite eqxx leqnn /= bb addnC addn1 ltnS.
  by elim: bs {IH} => //= y bs IH; case: ifP => /= _; rewrite ?leq_add2l // (leq_trans IH) ?leq_addl.
case: ifP => /= _; first by rewrite ltn_add2l; exact: IH.
exact: leq_trans (IH bp) (leq_addl _ _).
Qed.

Lemma waiting_fork w c b i ds s : calm w ->
  size (waiting (with_new w c (on_fork label (cl w c) b i ds s) (i :: used w) (sealed label i [::] (ds, s) :: made w)))
  <= (size (waiting w)).+1.
Proof.
move=> cw; pose new := sealed label i [::] (ds, s).
apply: (@leq_trans (size (new :: waiting w))) => //; apply: uniq_leq_size; first exact: undup_uniq.
move=> x; rewrite inE !mem_waiting /= => /andP [-> /orP [-> /=|/mem_all_pending [c' ]]]; first by rewrite orbT.
rewrite /= /set; case: (c' =P c) => [_|_ xp].
  rewrite /= mem_rcons inE => /orP [->//|]; rewrite mem_filter => /andP [_ xp].
  have -> : x \in all_pending w by apply/mem_all_pending; exists c.
  by rewrite !orbT.
have -> : x \in all_pending w by apply/mem_all_pending; exists c'.
by rewrite !orbT.
Qed.

Lemma entry_pending (x : client) k (e : entry) : {subset pending (on_entry x k e) <= pending x}.
Proof. by rewrite /on_entry; case: eqP => _ b //=; rewrite mem_filter => /andP []. Qed.

Lemma entry_old (x : client) k (e : entry) :
  count (fun b => inc b \in base) (pending (on_entry x k e)) <= count (fun b => inc b \in base) (pending x).
Proof.
rewrite /on_entry; case: eqP => // _ /=; rewrite count_filter; apply: sub_count.
by move=> b /= /andP [].
Qed.

Lemma same_core_work w w' : same_core w w' -> {subset up w' <= up w ++ all_pending w} -> work w' <= work w.
Proof.
move=> [El Ed Ec] sub.
have Eo : old w' = old w by apply: eq_bigr => c _; rewrite Ec.
have El' : lags w' = lags w by rewrite /lags El Ed; congr (_ + _); apply: eq_bigr => c _; rewrite Ec.
rewrite /work Eo El' leq_add2r leq_add2l leq_mul2l waiting_sub ?orbT // => b.
rewrite !mem_waiting El => /andP [-> /=] /orP [/sub|/mem_all_pending [c bc]]; first by rewrite mem_cat.
by apply/orP; right; apply/mem_all_pending; exists c; rewrite -Ec.
Qed.

Lemma quiet_core w w' : calm w -> quiet w w' -> same_core w w' \/ work w' < work w.
Proof.
move=> cw; have iw := calm_inv cw; case=> [c b bp|b v bu|n /andP [dn ns]|k e lt E|b bu bl|c k e ke
  |c b i ds s bf bp iu pos E|c]; try by left.
- rewrite /receive; case: ifP => fb; last by left.
  right; have bn : b \notin ledger (log w).
    by apply: contraL fb => /(repeat_never_fits (inv_valid iw)) /negbTE ->.
  rewrite /work /old /lags /= -addnA -[X in _ < X]addnA ltn_add2l size_rcons.
  have wlt : size (waiting (with_log w (rcons (log w) (b, v)) (dur w))) < size (waiting w).
    rewrite -[X in X < _]addn0 -addnS -[size (waiting w)]/(size (waiting w)).
    have -> : 1 = size [:: b] by []. rewrite -size_cat; apply: uniq_leq_size.
      rewrite cat_uniq undup_uniq /= andbT orbF mem_waiting /= /ledger map_rcons mem_rcons inE eqxx //.
    move=> x; rewrite mem_cat !mem_waiting /= /ledger map_rcons mem_rcons !inE.
    by case/orP => [/andP [/norP [_ ->] ->]|/eqP ->] //; rewrite bn bu.
  have: weight * size (waiting (with_log w (rcons (log w) (b, v)) (dur w))) + weight <= weight * size (waiting w).
    by rewrite -mulnSr leq_mul2l wlt orbT.
  move=> le; apply: leq_trans (leq_add le (leqnn _)); rewrite -addnS -addnA leq_add2l /weight.
  have: \sum_(c : C) ((size (log w)).+1 - lsn (cl w c)) <= #|C| + \sum_(c : C) (size (log w) - lsn (cl w c)).
    rewrite -sum1_card -big_split /=; apply: leq_sum => c _.
    by rewrite add1n leq_subLR addnS ltnS -leq_subLR.
  have: (size (log w)).+1 - dur w <= (size (log w) - dur w).+1 by rewrite leq_subLR addnS ltnS -leq_subLR.
  move=> h1 h2; apply: leq_ltn_trans (leq_add h2 h1) _.
  by rewrite addnS !addSn addnA.
- case: (n =P dur w) => [->|/eqP nd]; first by left.
  right; rewrite /work /old /lags /waiting /all_pending /= !ltn_add2l.
  by apply: ltn_sub2l; rewrite ?(leq_trans _ ns) // ltn_neqAle eq_sym nd.
- have [lt E] := inv_down iw ke; rewrite (size_durable iw) in lt.
  case: (k =P lsn (cl w c)) => [kl|/eqP/negbTE kl]; last first.
    by left; split=> //= c'; rewrite /set; case: eqP => // ->; rewrite /on_entry kl.
  right; have ltl := leq_trans lt (inv_dur iw); rewrite /work -addnA -[X in _ < X]addnA.
  have ol := @sum_set_le (fun x => count (fun b => inc b \in base) (pending x)) (cl w) c _ (entry_old (cl w c) k e).
  rewrite -addnS; apply: leq_add; first by rewrite leq_mul2l /old ol orbT.
  rewrite -addnS; apply: leq_add.
    rewrite leq_mul2l waiting_sub ?orbT // => b; rewrite !mem_waiting /= => /andP [-> /orP [->//|]].
    move=> /mem_all_pending [c' /=]; rewrite /set; case: eqP => [_ /entry_pending bp|_ bp];
      apply/orP; right; apply/mem_all_pending; first by exists c.
    by exists c'.
  rewrite /lags /= -addSn leq_add2r; apply: (@sum_set_lt (fun x => size (log w) - lsn x)).
  by rewrite /on_entry kl eqxx /=; apply: ltn_sub2l; rewrite -?kl.
- right; rewrite /work /lags /=.
  have lag: \sum_(c' : C) (size (log w) - lsn (set (cl w) c (on_fork label (cl w c) b i ds s) c'))
          = \sum_(c' : C) (size (log w) - lsn (cl w c')).
    by apply: eq_bigr => c' _; rewrite /set; case: eqP => // ->.
  rewrite lag ltn_add2r.
  have ol := @sum_set_lt (fun x => count (fun b => inc b \in base) (pending x)) (cl w) c _ (lost_count ds s cw bf bp iu).
  have wl := waiting_fork c b i ds s cw.
  apply: (@leq_trans (weight.+1 * (old w).-1 + weight * (size (waiting w)).+1).+1).
    rewrite ltnS; apply: leq_add; rewrite leq_mul2l ?wl ?orbT //.
    by rewrite -ltnS prednK ?orbT //; apply: leq_ltn_trans ol.
  have old_pos : 0 < old w by apply: leq_ltn_trans ol.
  rewrite -[X in _ <= _ * X + _](prednK old_pos) !mulnS.
  by rewrite addnCA addnA -addSn.
Qed.

Theorem quiet_work w w' : calm w -> quiet w w' -> work w' <= work w.
Proof.
move=> cw qs; case: (quiet_core cw qs) => [|/ltnW //]; case: qs => [c b bp|b v bu|n ns|k e lt E|b bu bl|c k e ke
  |c b i ds s bf bp iu pos E|c] sc; apply: (same_core_work sc) => /= x; rewrite mem_cat ?inE; try by move=> ->.
by case/orP => [/eqP ->|->//]; apply/orP; right; apply/mem_all_pending; exists c.
Qed.

(* ** Calm lasts *)

Lemma in_known b (led : seq batch) : b \in led -> (to b, here b) \in known (inc b) led.
Proof.
move=> bl; rewrite /Ledger.known inE; apply/orP; right; apply/mapP; exists b => //.
by rewrite mem_filter eqxx.
Qed.

Lemma continues_more (x : client) (d l : seq entry) b :
  lsn x <= size d -> continues x d b -> continues x (d ++ l) b.
Proof. by move=> le; rewrite /continues takel_cat. Qed.

Lemma continues_entry x (d : seq entry) k e b : k < size d -> nth e d k = e ->
  continues x d b -> continues (on_entry x k e) d b.
Proof.
move=> lt E; rewrite /on_entry; case: eqP => // kl; rewrite /continues -kl /=.
rewrite (ledger_take lt E) -cats1; case=> [kn|[p [pp pi pf pe]]]; first by left; exact: known_more.
case: (p =P e.1) => [pE|/eqP pn]; last by right; exists p; rewrite mem_filter pn.
by left; rewrite -pe -pi; apply: in_known; rewrite mem_cat inE pE eqxx orbT.
Qed.

Lemma continues_fork x (d : seq entry) b i ds s c : c \in pending (on_fork label x b i ds s) ->
  {in pending x, forall b, continues x d b} -> continues (on_fork label x b i ds s) d c.
Proof.
rewrite /= mem_rcons inE => /orP [/eqP -> _|]; first by left; rewrite /= /Ledger.known mem_head.
rewrite mem_filter => /andP [ck cp] /(_ _ cp) [kn|[p [pp pi pf pe]]]; first by left.
right; exists p; split=> //; rewrite /= mem_rcons inE mem_filter pp andbT; apply/orP; right.
apply: contra ck => /andP [/eqP pb le]; rewrite -pi pb eqxx /=.
exact: leq_trans le (ltnW pf).
Qed.

Theorem calm_quiet w w' : calm w -> quiet w w' -> calm w'.
Proof.
move=> cw qs; have [iw bu sg ch] := cw.
have [l El] := durable_prefix iw (quiet_is_step qs).
have iw' := inv_step iw (quiet_is_step qs).
have up c : {in pending (cl w c), forall b, continues (cl w c) (durable w') b}.
  by move=> b /ch; rewrite El; apply: continues_more; exact: ok_lsn (inv_cl iw c).
case: qs El iw' up => [c b bp|b v bup|n ns|k e lt E|b bup bl|c k e ke
  |c b i ds s bf bp iu pos E|c] El iw' up; split=> //.
- have [lt E] := inv_down iw ke; move=> c'; rewrite /= /set; case: eqP => [_|_]; last exact: up.
  by move=> b /entry_pending /ch; exact: continues_entry.
- by move=> j /bu; rewrite /= inE => ->; rewrite orbT.
- move=> b'; rewrite /= inE => /orP [/eqP -> _|bm nb].
    split=> // c'; rewrite inE => /orP [/eqP //|cm] ci; have [_] := inv_made iw cm.
    by rewrite ci /= (negbTE iu).
  have [ef one] := sg _ bm nb; split=> // c'; rewrite inE => /orP [/eqP -> /= ib|]; last exact: one.
  by have [_] := inv_made iw bm; rewrite -ib (negbTE iu).
- move=> c'; rewrite /= /set; case: eqP => [_|_]; last exact: up.
  by move=> b' bp'; apply: continues_fork => //; exact: ch.
Qed.

Lemma quiets_calm w w' : calm w -> quiets w w' -> calm w' /\ work w' <= work w.
Proof.
move=> cw; elim=> [//|w1 w2 _ [c1 le1] q2]; split; first exact: calm_quiet q2.
exact: leq_trans (quiet_work c1 q2) le1.
Qed.

(* ** While anything is unsettled, work can be done *)

Definition settled w :=
  dur w = size (log w) /\ forall c, lsn (cl w c) = size (log w) /\ pending (cl w c) = [::].

(* Settled means equal: every user sees the fold of the whole log. *)
Theorem settled_equal w : calm w -> settled w -> forall c, view (cl w c) = value (log w).
Proof.
move=> cw [ed sl] c; have [ls pn] := sl c.
rewrite /view pn /deltas fold0 accumw0 (ok_reference (inv_cl (calm_inv cw) c)).
by rewrite /durable ed take_size ls take_size.
Qed.

Theorem settled_all_equal w c1 c2 : calm w -> settled w -> view (cl w c1) = view (cl w c2).
Proof. by move=> cw sw; rewrite !(settled_equal cw sw). Qed.

Lemma first_pending w c b : calm w -> b \in pending (cl w c) -> exists2 b', b' \in pending (cl w c) &
  (from b', past b') \in known (inc b') (ledger (take (lsn (cl w c)) (durable w))).
Proof.
move=> cw; have [n] := ubnP (from b); elim: n b => // n IH b; rewrite ltnS => le bp.
case: (calm_chain cw bp) => [kn|[p [pp _ pf _]]]; first by exists b.
exact: IH (leq_trans pf le) pp.
Qed.

Definition decreases w := exists w', quiets w w' /\ work w' < work w.

Lemma effective w w1 w2 : calm w -> quiets w w1 -> quiet w1 w2 -> ~ same_core w1 w2 -> decreases w.
Proof.
move=> cw q1 q2 ns; have [c1 le1] := quiets_calm cw q1; exists w2; split; first exact: quietsS q2.
by case: (quiet_core c1 q2) => // lt; exact: leq_trans lt le1.
Qed.

Theorem progress w : calm w -> settled w \/ decreases w.
Proof.
move=> cw; have iw := calm_inv cw.
case: (dur w =P size (log w)) => [ed|nd]; last first.
  right; apply: (effective cw (quiets0 w) (@QSync w (size (log w)) _)); first by rewrite (inv_dur iw) /=.
  by case=> _ /= E _; case: nd.
have dE : durable w = log w by rewrite /durable ed take_size.
case: (pickP (fun c => lsn (cl w c) != size (log w))) => [c nl|al].
  right; have lt : lsn (cl w c) < dur w.
    by rewrite ltn_neqAle ed nl -ed -(size_durable iw) (ok_lsn (inv_cl iw c)).
  case E: (drop (lsn (cl w c)) (log w)) => [|e es].
    by move: (congr1 size E); rewrite size_drop -ed => /eqP; rewrite subn_eq0 leqNgt lt.
  have En: nth e (log w) (lsn (cl w c)) = e by rewrite -[lsn _]addn0 -nth_drop E.
  apply: (effective cw (quietsS (quiets0 w) (QStream lt En)) (@QEntry _ c (lsn (cl w c)) e _)).
    by rewrite inE eqxx.
  case=> _ _ /= /(_ c); rewrite /set eqxx /on_entry eqxx => /(congr1 (@lsn _ _ _ _)) /= /eqP.
  by rewrite -[X in _ == X]addn0 -addn1 eqn_add2l.
case: (pickP (fun c => pending (cl w c) != [::])) => [c np|ap]; last first.
  by left; split=> // c; move/negbT/negPn/eqP: (al c) => ->; move/negbT/negPn/eqP: (ap c).
right; have [b bp]: exists b, b \in pending (cl w c).
  by case: (pending _) np => [//|b bs _]; exists b; rewrite inE eqxx.
have [b' bp' kn] := first_pending cw bp; have lE : lsn (cl w c) = size (log w).
  by move/negbT/negPn/eqP: (al c).
rewrite lE dE take_size in kn; have nb := ok_pending (inv_cl iw c) bp'; rewrite lE dE take_size in nb.
case/or3P: (receiver_cases kn) => [bl|fb|bl]; first by rewrite bl in nb.
  apply: (effective cw (quietsS (quiets0 w) (QSend bp')) (@QReceive _ b' true _)); first by rewrite inE eqxx.
  case=> /= /(congr1 size) /eqP; rewrite /receive fb size_rcons.
  by rewrite -[X in _ == X]addn0 -addn1 eqn_add2l.
have bl' : blocked (ledger (durable w)) b' by rewrite dE.
have q1 := quietsS (quiets0 w) (QSend bp').
have q2 : quiets w _ := quietsS q1 (@QRefork (World (log w) (dur w) (cl w) (saved w) (b' :: up w) (down w)
  (snaps w) (forks w) (used w) (made w)) b' (mem_head _ _) bl').
apply: (effective cw q2 (@QFork _ c b' (fresh (used w)) [:: deltas (lost (cl w c) b')] salt _ _ _ _ _)) => //=;
  [exact: mem_head | by rewrite fold_cons fold0 accumw0 |].
case=> _ _ /= /(_ c); rewrite /set eqxx => /(congr1 (@mine _ _ _ _)) /= E.
by move: (ok_used (inv_cl iw c)); rewrite -E (negbTE (freshP _)).
Qed.

(* ** Fair runs *)

Lemma settle_within n w : calm w -> work w <= n -> exists2 w', quiets w w' & settled w'.
Proof.
elim: n w => [|n IH] w cw le; case: (progress cw) => [sw|[w' [qs lt]]]; try by exists w => //; exact: quiets0.
  by move: (leq_trans lt le); rewrite ltn0.
have [cw' _] := quiets_calm cw qs; have [w2 q2 s2] := IH _ cw' (leq_trans lt le : _ < n.+1).
by exists w2 => //; elim: q2 => // w3 w4 _ q3 q4; exact: quietsS q4.
Qed.

(* From wherever the faults left it, the system can reach agreement without a single new fault or write. *)
Theorem agreement_within_reach w : calm w -> exists2 w', quiets w w' & settled w'.
Proof. by move=> cw; exact: settle_within (leqnn _). Qed.

(* An infinite run of quiet steps is fair when, as long as it is unsettled, an effective step comes. *)
Definition fair (run : nat -> world) :=
  forall n, settled (run n) \/ exists2 m, n <= m & work (run m.+1) < work (run m).

Lemma run_calm (run : nat -> world) : calm (run 0) -> (forall n, quiet (run n) (run n.+1)) ->
  forall n, calm (run n).
Proof. by move=> c0 q; elim=> // n IH; exact: calm_quiet (q n). Qed.

Lemma run_work (run : nat -> world) n m : calm (run 0) -> (forall n, quiet (run n) (run n.+1)) ->
  n <= m -> work (run m) <= work (run n).
Proof.
move=> c0 q /subnKC <-; elim: (m - n) => [|k IH]; first by rewrite addn0.
rewrite addnS; apply: leq_trans IH; exact: quiet_work (run_calm c0 q _) (q _).
Qed.

(* After faults stop, a fair run ends with all equal; and however long it runs on, it comes back to that. *)
Theorem fair_run_agrees (run : nat -> world) : calm (run 0) -> (forall n, quiet (run n) (run n.+1)) ->
  fair run -> forall n, exists2 m, n <= m & forall c1 c2, view (cl (run m) c1) = view (cl (run m) c2).
Proof.
move=> c0 q fr n; have [k] := ubnP (work (run n)); elim: k n => // k IH n; rewrite ltnS => le.
case: (fr n) => [sn|[m nm lt]].
  by exists n => // c1 c2; exact: settled_all_equal (run_calm c0 q n) sn.
have [m' mm' eq] := IH m.+1 (leq_trans lt (leq_trans (run_work c0 q nm) le)).
by exists m' => //; exact: leq_trans (leq_trans nm (leqnSn m)) mm'.
Qed.

End Convergence.
